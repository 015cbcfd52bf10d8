from typing import Annotated

from fastapi import APIRouter, Depends, Query, Response

from app.accounts.auth import Reader, Reviewer
from app.core.errors import (
    ForbiddenError,
    InvalidCursorError,
    NotFoundError,
    UnauthenticatedError,
)
from app.core.pagination import RowNumber
from app.core.schemas import Page
from app.datasets.errors import DatasetNotReadyError, UnknownClassError
from app.findings.errors import NoFindingsError, NotFinishedError
from app.http.deps import ContextDep, ReadSession, WriteSession
from app.http.errors import (
    DatabaseUnavailableError,
    PreconditionRequiredError,
    ValidationFailedError,
)
from app.http.pagination import PagingDep
from app.http.preconditions import IfMatch, version_tag
from app.http.problems import problems
from app.models import StepKind
from app.reviews.errors import (
    CountChangedError,
    NoSuggestionError,
    NothingToRevertError,
    StepOvertakenError,
    StepStateError,
    VersionConflictError,
)
from app.reviews.history import History
from app.reviews.schemas import (
    BulkRead,
    BulkWrite,
    DecisionRead,
    DecisionWrite,
    LogEntryRead,
    LogOrder,
    StepChoice,
    StepRead,
)
from app.reviews.service import ReviewService

_ALWAYS = (
    UnauthenticatedError,
    ForbiddenError,
    NotFoundError,
    ValidationFailedError,
    DatabaseUnavailableError,
)
_REVERT_PROBLEMS = problems(NothingToRevertError, StepStateError, StepOvertakenError)

samples_router = APIRouter(prefix="/v1/samples", tags=["decisions"], responses=problems(*_ALWAYS))
datasets_router = APIRouter(
    prefix="/v1/datasets/{dataset_id}/decisions",
    tags=["decisions"],
    responses=problems(*_ALWAYS),
)


def _service(caller: Reviewer, session: WriteSession, context: ContextDep) -> ReviewService:
    every = context.settings.recalibrate_every
    return ReviewService(session, caller, context.wake_ups, recalibrate_every=every)


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
    dataset_id: str, wanted: BulkWrite, caller: Reviewer, context: ContextDep
) -> BulkRead:
    database = context.tenant_database(caller.tenant_id)
    if wanted.dry_run:
        # Drawing from a million samples takes a while: writers need not wait for it.
        with database.read() as session:
            service = ReviewService(session, caller, context.wake_ups)
            return service.preview_many(dataset_id, wanted)
    with database.unit_of_work() as session:
        return _service(caller, session, context).decide_many(dataset_id, wanted)


@datasets_router.post(
    "/undo",
    summary="Undo a step for all of its samples; by default the last one",
    responses=_REVERT_PROBLEMS,
)
def undo(dataset_id: str, history: RevertDep, choice: StepChoice | None = None) -> StepRead:
    return history.revert(dataset_id, StepKind.UNDO, choice or StepChoice())


@datasets_router.post(
    "/redo",
    summary="Redo an undone step for all of its samples; by default the one undone last",
    responses=_REVERT_PROBLEMS,
)
def redo(dataset_id: str, history: RevertDep, choice: StepChoice | None = None) -> StepRead:
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
    return paging.reply(
        history.log(dataset_id, paging.wanted, sample_id=sample_id, step_id=step_id, order=sort)
    )


@datasets_router.get(
    "/steps",
    summary="List what reviewers did, newest first: each is undone and redone as a whole",
    responses=problems(ValidationFailedError, InvalidCursorError),
)
def list_steps(dataset_id: str, history: HistoryDep, paging: PagingDep) -> Page[StepRead]:
    return paging.reply(history.steps(dataset_id, paging.wanted))
