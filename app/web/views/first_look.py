"""The samples to look at first, and what decisions have told so far."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from sqlalchemy.orm import Session

from app.accounts.schemas import Principal
from app.core.pagination import PageRequest
from app.core.queue import WakeUps
from app.learning.schemas import RatesRead
from app.learning.service import LearningService
from app.web.views.review_head import ReviewHead
from app.web.views.tiles import Tile


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
