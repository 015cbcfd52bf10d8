"""What the review queue shows."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Self
from uuid import UUID

from sqlalchemy.orm import Session

from app.core.pagination import PageRequest
from app.core.queue import WakeUps
from app.core.schemas import Page
from app.findings.query import FindingQuery
from app.findings.schemas import FindingRead
from app.findings.service import FindingService
from app.web.views.queue_filters import QueueFilters
from app.web.views.review_head import ReviewHead
from app.web.views.tiles import Tile
from app.web.views.twins import twins_of_conflicts


class Emptiness(StrEnum):
    """Why the queue has no samples, where no filter is set."""

    NOT_JUDGED = "not_judged"
    NOT_FLAGGED = "not_flagged"
    ALL_DECIDED = "all_decided"


@dataclass(frozen=True, slots=True, kw_only=True)
class QueuePage:
    """One page of suspects."""

    head: ReviewHead
    filters: QueueFilters
    page: Page[FindingRead]
    tiles: Sequence[Tile]
    emptiness: Emptiness | None
    """None where there are samples, or where filters or a place in the queue leave none."""

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
        findings = FindingService(session, tenant_id, wake_ups)
        page = findings.page(job_id, filters.query(), wanted)
        twins = twins_of_conflicts(findings, job_id, page.items)
        is_empty = not page.items and wanted.cursor is None and not filters.num_changed
        return cls(
            head=ReviewHead.read(session, tenant_id, wake_ups, job_id),
            filters=filters,
            page=page,
            tiles=[Tile.of_finding(each, twins.get(each.sample_id, ())) for each in page.items],
            emptiness=_why_empty(findings, job_id) if is_empty else None,
        )


def _why_empty(findings: FindingService, job_id: str) -> Emptiness:
    """Tell apart what an empty queue can mean: only one of the reasons is good news."""

    def has_any(query: FindingQuery) -> bool:
        return bool(findings.page(job_id, query, PageRequest(limit=1, cursor=None)).items)

    if has_any(FindingQuery(flagged=True)):
        return Emptiness.ALL_DECIDED
    # A label that was not judged has no probability, which no bound meets.
    return Emptiness.NOT_FLAGGED if has_any(FindingQuery(min_p=0)) else Emptiness.NOT_JUDGED
