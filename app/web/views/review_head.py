"""What every page of a review says of where it is."""

from dataclasses import dataclass
from typing import Self
from uuid import UUID

from sqlalchemy.orm import Session

from app.core.queue import WakeUps
from app.datasets.service import DatasetService
from app.jobs.service import JobService


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewHead:
    """An audit and the data set that it is of."""

    job_id: UUID
    dataset_id: UUID
    dataset_name: str
    num_classes: int

    @classmethod
    def read(cls, session: Session, tenant_id: UUID, wake_ups: WakeUps, job_id: str) -> Self:
        """Look them up.

        Raises:
            NotFoundError: The tenant has no such job.
        """
        job = JobService(session, tenant_id, wake_ups).find(job_id)
        dataset = DatasetService(session, tenant_id).find(str(job.dataset_id))
        return cls(
            job_id=job.id,
            dataset_id=dataset.id,
            dataset_name=dataset.name,
            num_classes=len(dataset.classes),
        )
