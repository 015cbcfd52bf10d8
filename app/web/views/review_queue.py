"""What the review queue shows."""

from dataclasses import dataclass
from typing import Self
from uuid import UUID

from sqlalchemy.orm import Session

from app.core.pagination import PageRequest
from app.core.queue import WakeUps
from app.core.schemas import Page
from app.datasets.service import DatasetService
from app.findings.schemas import FindingRead
from app.findings.service import FindingService
from app.jobs.service import JobService
from app.web.views.queue_filters import QueueFilters


@dataclass(frozen=True, slots=True, kw_only=True)
class QueuePage:
    """One page of suspects."""

    job_id: UUID
    dataset_id: UUID
    dataset_name: str
    num_classes: int
    filters: QueueFilters
    page: Page[FindingRead]

    @classmethod
    def read(
        cls,
        session: Session,
        tenant_id: UUID,
        wake_ups: WakeUps,
        job_id: str,
        filters: QueueFilters,
        wanted: PageRequest,
    ) -> Self:
        """Collect what the slices know: one page by its key, nothing is counted.

        Raises:
            NotFoundError: The tenant has no such job.
            NotFinishedError: It has not succeeded.
            NoFindingsError: It judged no labels.
            InvalidCursorError: The cursor is of other filters, or of replaced results.
        """
        page = FindingService(session, tenant_id, wake_ups).page(job_id, filters.query(), wanted)
        job = JobService(session, tenant_id, wake_ups).find(job_id)
        dataset = DatasetService(session, tenant_id).find(str(job.dataset_id))
        return cls(
            job_id=job.id,
            dataset_id=dataset.id,
            dataset_name=dataset.name,
            num_classes=len(dataset.classes),
            filters=filters,
            page=page,
        )
