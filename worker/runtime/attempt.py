from dataclasses import dataclass
from typing import Any
from uuid import UUID

from app.jobs.lease_repository import Fence
from app.models import Job, JobKind, Queue


@dataclass(frozen=True, slots=True)
class Attempt:
    """What a worker needs to know of the job that it claimed."""

    fence: Fence
    tenant_id: UUID
    dataset_id: UUID
    kind: JobKind
    queue: Queue
    options: dict[str, Any]
    checkpoint: str | None
    lost_attempts: int

    @classmethod
    def of(cls, job: Job) -> "Attempt":
        """Copy the row as it is right after its claim."""
        if job.owner is None:
            raise ValueError(f"job {job.id} is not claimed")
        return cls(
            fence=Fence(job_id=job.id, attempt=job.attempt, owner=job.owner),
            tenant_id=job.tenant_id,
            dataset_id=job.dataset_id,
            kind=job.kind,
            queue=job.queue,
            options=job.options,
            checkpoint=job.checkpoint,
            lost_attempts=job.lost_attempts,
        )
