"""What reviewers did, and how to take it back."""

from functools import partial

from sqlalchemy.orm import Session

from app.accounts.schemas import Principal
from app.core.ids import not_found, parse_sample_id
from app.core.pagination import NUMBER_KEY, Cursors, PageRequest, paginate
from app.core.schemas import Page
from app.datasets.service import DatasetService
from app.models import Dataset, DecisionStep, StepKind
from app.reviews.log_repository import LogRepository
from app.reviews.repository import ReviewRepository
from app.reviews.schemas import (
    LogEntryRead,
    LogOrder,
    NothingToRevertError,
    StepChoice,
    StepOvertakenError,
    StepRead,
    StepStateError,
)


class History:
    """The log of a tenant's data sets, inside one unit of work."""

    def __init__(self, session: Session, reviewer: Principal) -> None:
        """Act for the reviewer, within their tenant."""
        self._session = session
        self._reviewer = reviewer
        self._tenant_id = reviewer.tenant_id
        self._datasets = DatasetService(session, self._tenant_id)

    def revert(self, dataset_id: str, kind: StepKind, choice: StepChoice) -> StepRead:
        """Undo a step, or redo an undone one, for all of its samples.

        Raises:
            NotFoundError: The tenant has no such data set, or it no such step.
            NothingToRevertError: No step is left to undo, or to redo.
            StepStateError: The step is undone already, or it is not.
            StepOvertakenError: Later decisions stand on it.
        """
        dataset = self._datasets.find(dataset_id)
        self._datasets.hold(dataset)
        reviews = ReviewRepository(self._session, self._tenant_id, dataset.id)
        target = self._choose(reviews, kind, choice)
        if target.undone is (kind is StepKind.UNDO):
            state = "undone" if target.undone else "not undone"
            raise StepStateError(f"Step {target.id} is {state}.", step_id=target.id)
        num_overtaken = reviews.num_overtaken(target, kind)
        if num_overtaken:
            raise StepOvertakenError(
                f"{num_overtaken} of the samples of step {target.id} were decided on since.",
                step_id=target.id,
                num_samples=num_overtaken,
            )
        step = reviews.add_step(kind, by=self._reviewer, target=target)
        reviews.revert(step, target)
        self._session.flush()
        return StepRead.of(self._log(dataset).step(step.id))

    def log(
        self,
        dataset_id: str,
        page: PageRequest,
        *,
        sample_id: str | None,
        step_id: int | None,
        order: LogOrder,
    ) -> Page[LogEntryRead]:
        """List what happened, sample by sample."""
        dataset = self._datasets.find(dataset_id)
        query = {"log": dataset.id, "sample": sample_id, "step": step_id, "order": order}
        cursors = Cursors(NUMBER_KEY, query)
        entries = partial(
            self._log(dataset).entries,
            sample_id=None if sample_id is None else parse_sample_id(sample_id),
            step_id=step_id,
            newest_first=order is LogOrder.NEWEST_FIRST,
        )
        rows, cursor = paginate(page, cursors, entries, key=lambda row: row.entry.id)
        items = [LogEntryRead.of(row, dataset.classes) for row in rows]
        return Page(items=items, next_cursor=cursor)

    def steps(self, dataset_id: str, page: PageRequest) -> Page[StepRead]:
        """List what reviewers did, newest first."""
        dataset = self._datasets.find(dataset_id)
        cursors = Cursors(NUMBER_KEY, {"steps": dataset.id})
        steps = self._log(dataset).steps
        rows, cursor = paginate(page, cursors, steps, key=lambda row: row.step.id)
        return Page(items=[StepRead.of(row) for row in rows], next_cursor=cursor)

    def _choose(
        self, reviews: ReviewRepository, kind: StepKind, choice: StepChoice
    ) -> DecisionStep:
        by = self._reviewer if choice.mine else None
        if choice.step_id is not None:
            target = reviews.get_step(choice.step_id)
            if target is None:
                raise not_found("step that can be undone")
            return target
        target = (
            reviews.newest_in_force(by=by)
            if kind is StepKind.UNDO
            else reviews.newest_undone(by=by)
        )
        if target is None:
            raise NothingToRevertError(f"There is no step to {kind}.")
        return target

    def _log(self, dataset: Dataset) -> LogRepository:
        return LogRepository(self._session, self._tenant_id, dataset.id)
