"""What is one reviewer's to decide on, and how far reviewers agree."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Self

from sqlalchemy.orm import Session

from app.accounts.schemas import Principal
from app.claims.schemas import AgreementRead
from app.claims.service import ClaimService
from app.core.pagination import PageRequest
from app.core.queue import WakeUps
from app.findings.service import FindingService
from app.web.views.review_head import ReviewHead
from app.web.views.tiles import Tile
from app.web.views.twins import twins_of_conflicts

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
