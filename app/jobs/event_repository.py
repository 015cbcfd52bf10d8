from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.core.clock import utc_now
from app.models import Job, JobEvent, JobState
from app.models.visible import IS_OF_KEPT_DATASET


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

    def latest(self, job_ids: Sequence[UUID]) -> Mapping[UUID, tuple[JobState, int]]:
        """Return the state and the newest event of those jobs that are still there."""
        newest = select(func.max(JobEvent.seq)).where(JobEvent.job_id == Job.id).scalar_subquery()
        rows = self._session.execute(
            select(Job.id, Job.state, newest).where(Job.id.in_(job_ids), IS_OF_KEPT_DATASET)
        )
        return {row[0]: (row[1], row[2] or 0) for row in rows}

    def after(self, job_id: UUID, seq: int, *, limit: int) -> Sequence[JobEvent]:
        """Return a part of a job's history, whosever it is."""
        return self._session.scalars(
            select(JobEvent)
            .where(JobEvent.job_id == job_id, JobEvent.seq > seq)
            .order_by(JobEvent.seq)
            .limit(limit)
        ).all()
