from typing import Annotated

from fastapi import APIRouter, Depends, Query, Response

from app.accounts.auth import Reader, Reviewer
from app.accounts.idempotency import IdempotentRoute
from app.accounts.quotas import Quotas
from app.core.errors import InvalidCursorError, NotFoundError
from app.core.pagination import RowNumber
from app.core.schemas import Page
from app.datasets.schemas import DatasetNotReadyError, UnknownClassError
from app.findings.schemas import NoFindingsError, NotFinishedError
from app.http.deps import ContextDep, ReadSession, WriteOnDemand, WriteSession
from app.http.errors import COMMON_ERRORS, PreconditionRequiredError, ValidationFailedError
from app.http.pagination import PagingDep
from app.http.preconditions import IfMatch, version_tag
from app.http.problems import problems
from app.models import StepKind
from app.reviews.schemas import (
    BulkRead,
    BulkWrite,
    CountChangedError,
    DecisionRead,
    DecisionWrite,
    LogEntryRead,
    LogOrder,
    NoSuggestionError,
    NothingToRevertError,
    StepChoice,
    StepOvertakenError,
    StepRead,
    StepStateError,
    VersionConflictError,
)
from app.reviews.service import History, ReviewService

_REVERT_PROBLEMS = problems(NothingToRevertError, StepStateError, StepOvertakenError)

samples_router = APIRouter(
    prefix="/v1/samples", tags=["decisions"], responses=problems(*COMMON_ERRORS, NotFoundError)
)
datasets_router = APIRouter(
    prefix="/v1/datasets/{dataset_id}/decisions",
    route_class=IdempotentRoute,
    tags=["decisions"],
    responses=problems(*COMMON_ERRORS, NotFoundError),
)


def _service(caller: Reviewer, session: WriteSession, context: ContextDep) -> ReviewService:
    every = context.settings.recalibrate_every
    quotas = Quotas(session, caller.tenant_id, context.settings)
    return ReviewService(session, caller, context.wake_ups, recalibrate_every=every, quotas=quotas)


def _reading(caller: Reader, session: ReadSession) -> History:
    return History(session, caller)


def _writing(caller: Reviewer, session: WriteSession) -> History:
    return History(session, caller)


ServiceDep = Annotated[ReviewService, Depends(_service)]
HistoryDep = Annotated[History, Depends(_reading)]
RevertDep = Annotated[History, Depends(_writing)]


@samples_router.put(
    "/{sample_id}/decision",
    summary="Decide on a sample's label",
    responses=problems(
        ValidationFailedError, UnknownClassError, VersionConflictError, PreconditionRequiredError
    ),
)
def decide(
    sample_id: str,
    wanted: DecisionWrite,
    service: ServiceDep,  # before If-Match is looked at: who may not review is told that
    versions: IfMatch,
    response: Response,
) -> DecisionRead:
    """`If-Match` names the version that the decision is of: nothing unseen is overwritten.

    428 without it, 412 where somebody was faster.
    """
    decision = service.decide(sample_id, wanted, versions=versions)
    response.headers["ETag"] = version_tag(decision.version)
    return decision


@datasets_router.post(
    "",
    summary="Decide on many samples at once, by selection or by filter; dry_run shows first",
    responses=problems(
        DatasetNotReadyError,
        NotFinishedError,
        NoFindingsError,
        VersionConflictError,
        CountChangedError,
        ValidationFailedError,
        UnknownClassError,
        NoSuggestionError,
    ),
)
def decide_many(
    dataset_id: str, wanted: BulkWrite, caller: Reviewer, context: ContextDep, begin: WriteOnDemand
) -> BulkRead:
    """All or nothing, in one step that can be undone as one.

    With `dry_run` nothing is changed and the reply shows what would be met.
    """
    if not wanted.dry_run:
        return _service(caller, begin(), context).decide_many(dataset_id, wanted)
    # Drawing from a million samples takes a while: writers need not wait for it.
    with context.tenant_database(caller.tenant_id).read() as session:
        return ReviewService(session, caller, context.wake_ups).preview_many(dataset_id, wanted)


@datasets_router.post(
    "/undo",
    summary="Undo a step for all of its samples; by default the last one",
    responses=_REVERT_PROBLEMS,
)
def undo(dataset_id: str, history: RevertDep, choice: StepChoice | None = None) -> StepRead:
    """Brings back what each of its samples had before; the log keeps both."""
    return history.revert(dataset_id, StepKind.UNDO, choice or StepChoice())


@datasets_router.post(
    "/redo",
    summary="Redo an undone step for all of its samples; by default the one undone last",
    responses=_REVERT_PROBLEMS,
)
def redo(dataset_id: str, history: RevertDep, choice: StepChoice | None = None) -> StepRead:
    """Brings back what the undo took away; the log keeps both."""
    return history.revert(dataset_id, StepKind.REDO, choice or StepChoice())


@datasets_router.get(
    "",
    summary="Read the log: every change of every sample, in the order in which they were made",
    responses=problems(ValidationFailedError, InvalidCursorError),
)
def list_entries(
    dataset_id: str,
    history: HistoryDep,
    paging: PagingDep,
    sample_id: str | None = None,
    step_id: Annotated[RowNumber | None, Query()] = None,
    sort: LogOrder = LogOrder.OLDEST_FIRST,
) -> Page[LogEntryRead]:
    """Append-only: nothing is ever removed from it."""
    return paging.reply(
        history.log(dataset_id, paging.wanted, sample_id=sample_id, step_id=step_id, order=sort)
    )


@datasets_router.get(
    "/steps",
    summary="List what reviewers did, newest first: each is undone and redone as a whole",
    responses=problems(ValidationFailedError, InvalidCursorError),
)
def list_steps(dataset_id: str, history: HistoryDep, paging: PagingDep) -> Page[StepRead]:
    """A step is one decision, or all decisions of one request."""
    return paging.reply(history.steps(dataset_id, paging.wanted))
