"""What the review queue shows."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self
from uuid import UUID

from sqlalchemy.orm import Session

from app.core.pagination import PageRequest
from app.core.queue import WakeUps
from app.core.schemas import Page
from app.findings.schemas import FindingRead
from app.findings.service import FindingService
from app.web.views.queue_filters import QueueFilters
from app.web.views.review_head import ReviewHead
from app.web.views.tiles import Tile


@dataclass(frozen=True, slots=True, kw_only=True)
class QueuePage:
    """One page of suspects."""

    head: ReviewHead
    filters: QueueFilters
    page: Page[FindingRead]
    tiles: Sequence[Tile]

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
        return cls(
            head=ReviewHead.read(session, tenant_id, wake_ups, job_id),
            filters=filters,
            page=page,
            tiles=[Tile.of_finding(finding) for finding in page.items],
        )
