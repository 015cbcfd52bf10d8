"""What a tenant has and does: the figures that quotas are about."""

from collections.abc import Mapping
from datetime import datetime
from uuid import UUID

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from app.core.clock import utc_now
from app.models import Blob, Dataset, DatasetState, Job, JobAttempt, JobState, Tenant, Upload
from app.models.visible import IS_KEPT

_TRAINING = "train"
"""The stage of an attempt that holds a GPU."""


class UsageRepository:
    """The figures of one tenant."""

    def __init__(self, session: Session, tenant_id: UUID) -> None:
        """Work inside the caller's unit of work, for one tenant."""
        self._session = session
        self._tenant_id = tenant_id

    def tenant(self) -> Tenant:
        """Return the tenant's row."""
        return self._session.get_one(Tenant, self._tenant_id)

    def lock(self) -> None:
        """Let nobody else use up the tenant's quotas until this unit of work ends."""
        self._session.execute(
            select(Tenant.id).where(Tenant.id == self._tenant_id).with_for_update()
        )

    def num_bytes(self) -> int:
        """Return what is stored, what waits to be taken in or shown, and what is on its way in."""
        parts = (
            select(func.sum(Blob.num_bytes)).where(Blob.tenant_id == self._tenant_id),
            select(func.sum(Dataset.upload_bytes)).where(
                Dataset.tenant_id == self._tenant_id, Dataset.state != DatasetState.READY, IS_KEPT
            ),
            select(func.sum(Upload.num_bytes)).where(
                Upload.tenant_id == self._tenant_id, Upload.job_id.is_(None)
            ),
            select(func.sum(Job.input_bytes)).where(
                Job.tenant_id == self._tenant_id, Job.state != JobState.SUCCEEDED
            ),
        )
        return sum(int(self._session.scalar(part) or 0) for part in parts)

    def reserve(self, reservation_id: UUID, num_bytes: int, *, expires_at: datetime) -> None:
        """Announce bytes that come in one request, as a resumable upload announces its own."""
        self._session.add(
            Upload(
                id=reservation_id,
                tenant_id=self._tenant_id,
                num_bytes=num_bytes,
                offset=0,
                details={},
                expires_at=expires_at,
            )
        )

    def release(self, reservation_id: UUID) -> None:
        """Take an announcement back."""
        self._session.execute(
            delete(Upload).where(Upload.id == reservation_id, Upload.tenant_id == self._tenant_id)
        )

    def num_samples(self) -> int:
        """Return the number of samples in all data sets."""
        total = select(func.sum(Dataset.num_samples)).where(
            Dataset.tenant_id == self._tenant_id, IS_KEPT
        )
        return int(self._session.scalar(total) or 0)

    def num_jobs(self) -> Mapping[JobState, int]:
        """Return the number of jobs that wait and that run."""
        rows = self._session.execute(
            select(Job.state, func.count())
            .where(
                Job.tenant_id == self._tenant_id,
                Job.state.in_((JobState.QUEUED, JobState.RUNNING)),
            )
            .group_by(Job.state)
        )
        return {row[0]: row[1] for row in rows}

    def gpu_seconds(self, since: datetime) -> float:
        """Return how long trainings ran that began since then, those under way included."""
        rows = self._session.execute(
            select(JobAttempt.started_at, JobAttempt.seconds).where(
                JobAttempt.tenant_id == self._tenant_id,
                JobAttempt.stage == _TRAINING,
                JobAttempt.started_at >= since,
            )
        )
        now = utc_now()
        return sum(
            (now - started_at).total_seconds() if seconds is None else seconds
            for started_at, seconds in rows
        )
