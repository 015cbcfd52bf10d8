from typing import Any
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.core.clock import utc_now
from app.models import Job, JobEvent


class EventRepository:
    """What happened to jobs, written by the API and by the workers alike."""

    def __init__(self, session: Session) -> None:
        """Work inside the caller's unit of work."""
        self._session = session

    def append(self, job_id: UUID, event_type: str, data: dict[str, Any]) -> None:
        """Append to a job's history; the caller holds the job's row, so numbers never clash."""
        last = self._session.scalar(select(func.max(JobEvent.seq)).where(JobEvent.job_id == job_id))
        tenant_id = self._session.scalars(select(Job.tenant_id).where(Job.id == job_id)).one()
        self._session.add(
            JobEvent(
                job_id=job_id,
                seq=(last or 0) + 1,
                tenant_id=tenant_id,
                type=event_type,
                data=data,
                created_at=utc_now(),
            )
        )
        self._session.flush()
