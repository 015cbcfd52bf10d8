"""The pages that a reviewer works through: the queue, a share of it, and first looks."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Self
from uuid import UUID

from sqlalchemy.orm import Session

from app.accounts.schemas import Principal
from app.claims.schemas import AgreementRead
from app.claims.service import ClaimService
from app.core.pagination import PageRequest
from app.core.queue import WakeUps
from app.core.schemas import Page
from app.datasets.service import DatasetService
from app.findings.query import FindingQuery
from app.findings.schemas import FindingRead
from app.findings.service import FindingService
from app.jobs.service import JobService
from app.learning.schemas import RatesRead
from app.learning.service import LearningService
from app.web.views.queue_filters import QueueFilters
from app.web.views.tiles import Tile, twins_of_conflicts


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


COUNT_UP_TO = 1_000
"""Beyond that, how many suspects are still open is not counted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SharePage:
    """All samples that a reviewer holds, worst first."""

    head: ReviewHead
    tiles: Sequence[Tile]
    until: datetime | None
    """When the first of them goes back to the others."""
    is_blind: bool
    num_open: int
    """Suspects that are nobody's and still to do, at most `COUNT_UP_TO` + 1."""

    @classmethod
    def read(cls, session: Session, caller: Principal, wake_ups: WakeUps, job_id: str) -> Self:
        """Collect what the slices know.

        Raises:
            NotFoundError: The tenant has no such job.
            NotFinishedError: It has not succeeded.
            NoFindingsError: It judged no labels.
        """
        claims = ClaimService(session, caller, wake_ups)
        held = claims.held(job_id).items
        findings = FindingService(session, caller.tenant_id, wake_ups)
        twins = twins_of_conflicts(findings, job_id, held)
        return cls(
            head=ReviewHead.read(session, caller.tenant_id, wake_ups, job_id),
            tiles=[Tile.of_claim(claim, twins.get(claim.sample_id, ())) for claim in held],
            until=min((claim.expires_at for claim in held), default=None),
            is_blind=any(claim.blind for claim in held),
            num_open=claims.num_open(job_id, at_most=COUNT_UP_TO + 1),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class DifferencesPage:
    """Samples that reviewers see differently, and how often they do."""

    head: ReviewHead
    agreement: AgreementRead
    tiles: Sequence[Tile]
    next_cursor: str | None

    @classmethod
    def read(
        cls,
        session: Session,
        caller: Principal,
        wake_ups: WakeUps,
        job_id: str,
        wanted: PageRequest,
    ) -> Self:
        """Collect what the slices know.

        Raises:
            NotFoundError: The tenant has no such job.
            NotFinishedError: It has not succeeded.
            NoFindingsError: It judged no labels.
            InvalidCursorError: The cursor is of another list.
        """
        claims = ClaimService(session, caller, wake_ups)
        page = claims.conflicts(job_id, wanted)
        return cls(
            head=ReviewHead.read(session, caller.tenant_id, wake_ups, job_id),
            agreement=claims.agreement(job_id),
            tiles=[Tile.of_conflict(conflict) for conflict in page.items],
            next_cursor=page.next_cursor,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class FirstLookPage:
    """Some samples to look at first, in their order."""

    head: ReviewHead
    tiles: Sequence[Tile]
    rates: RatesRead | None
    """What was stated before decisions and after; None before the service has learned."""
    next_cursor: str | None

    @property
    def num_decided(self) -> int:
        """How many of these are decided."""
        return sum(tile.decision is not None for tile in self.tiles)

    @classmethod
    def read(
        cls,
        session: Session,
        caller: Principal,
        wake_ups: WakeUps,
        job_id: str,
        wanted: PageRequest,
    ) -> Self:
        """Collect what the slices know.

        Raises:
            NotFoundError: The tenant has no such job.
            NotFinishedError: It has not succeeded.
            NoFindingsError: It judged no labels.
            InvalidCursorError: The cursor is of another list.
        """
        learning = LearningService(session, caller, wake_ups)
        page = learning.first_look(job_id, wanted)
        return cls(
            head=ReviewHead.read(session, caller.tenant_id, wake_ups, job_id),
            tiles=[Tile.of_first_look(look) for look in page.items],
            rates=learning.rates(job_id),
            next_cursor=page.next_cursor,
        )
