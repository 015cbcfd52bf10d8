"""What is promised of an audit, and one promise with its checks."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from sqlalchemy.orm import Session

from app.accounts.schemas import Principal
from app.core.pagination import PageRequest
from app.core.queue import WakeUps
from app.promises.schemas import PromiseRead
from app.promises.service import PromiseService
from app.web.views.review_queue import ReviewHead


@dataclass(frozen=True, slots=True, kw_only=True)
class PromisesPage:
    """All promises of an audit, newest first."""

    head: ReviewHead
    promises: Sequence[PromiseRead]
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
            InvalidCursorError: The cursor is of another list.
        """
        page = PromiseService(session, caller, wake_ups).page(job_id, wanted)
        return cls(
            head=ReviewHead.read(session, caller.tenant_id, wake_ups, job_id),
            promises=page.items,
            next_cursor=page.next_cursor,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class PromisePage:
    """One promise."""

    head: ReviewHead
    promise: PromiseRead

    @classmethod
    def read(cls, session: Session, caller: Principal, wake_ups: WakeUps, promise_id: str) -> Self:
        """Collect what the slices know.

        Raises:
            NotFoundError: The tenant has no such promise.
        """
        promise = PromiseService(session, caller, wake_ups).read(promise_id)
        head = ReviewHead.read(session, caller.tenant_id, wake_ups, str(promise.job_id))
        return cls(head=head, promise=promise)
