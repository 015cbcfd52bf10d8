from typing import Annotated

from fastapi import APIRouter, Depends, Response

from app.accounts.auth import Reader, Reviewer
from app.accounts.idempotency import IdempotentRoute
from app.accounts.quotas import Quotas
from app.core.errors import (
    InvalidCursorError,
    NotFoundError,
)
from app.core.schemas import Page
from app.datasets.schemas import UnknownClassError
from app.findings.schemas import NoFindingsError, NotFinishedError
from app.http.deps import ContextDep, ReadSession, WriteOnDemand, WriteSession
from app.http.errors import COMMON_ERRORS, ValidationFailedError
from app.http.pagination import PagingDep
from app.http.problems import problems
from app.promises.schemas import (
    AcceptWrite,
    AnswerRead,
    AnswerWrite,
    CheckAnsweredError,
    CheckRead,
    NothingToAcceptError,
    NothingToPromiseError,
    PromiseEndedError,
    PromiseRead,
    PromiseWrite,
)
from app.promises.service import PromiseService
from app.reviews.schemas import BulkRead, CountChangedError

router = APIRouter(
    prefix="/v1",
    tags=["promises"],
    route_class=IdempotentRoute,
    responses=problems(*COMMON_ERRORS, NotFoundError),
)


def _reading(caller: Reader, session: ReadSession, context: ContextDep) -> PromiseService:
    return PromiseService(session, caller, context.wake_ups)


def _writing(caller: Reviewer, session: WriteSession, context: ContextDep) -> PromiseService:
    return PromiseService(
        session,
        caller,
        context.wake_ups,
        recalibrate_every=context.settings.recalibrate_every,
        quotas=Quotas(session, caller.tenant_id, context.settings),
    )


ReadingDep = Annotated[PromiseService, Depends(_reading)]
WritingDep = Annotated[PromiseService, Depends(_writing)]


@router.post(
    "/jobs/{job_id}/promises",
    status_code=201,
    summary="Open a promise: accept a band in bulk, or stop the review",
    responses=problems(NotFinishedError, NoFindingsError, NothingToPromiseError),
)
def open_promise(
    job_id: str, wanted: PromiseWrite, service: WritingDep, response: Response
) -> PromiseRead:
    """Ranking, bands, chances and draws are pinned here; no later version changes them."""
    opened = service.open(job_id, wanted)
    response.headers["Location"] = f"/v1/promises/{opened.id}"
    return opened


@router.get(
    "/jobs/{job_id}/promises",
    summary="List the promises of an audit, newest first",
    responses=problems(InvalidCursorError, ValidationFailedError),
)
def list_promises(job_id: str, service: ReadingDep, paging: PagingDep) -> Page[PromiseRead]:
    """All stay on record: those that were kept, broken and closed too."""
    return paging.reply(service.page(job_id, paging.wanted))


@router.get("/promises/{promise_id}", summary="Get a promise: what is proved, and what is next")
def get_promise(promise_id: str, service: ReadingDep) -> PromiseRead:
    """`open`, `kept`, `broken` or `closed`; once it has ended its figures stay as they were."""
    return service.read(promise_id)


@router.get(
    "/promises/{promise_id}/checks",
    summary="List the samples to look at now, in the order of the draw",
    responses=problems(InvalidCursorError, ValidationFailedError),
)
def list_checks(promise_id: str, service: ReadingDep, paging: PagingDep) -> Page[CheckRead]:
    """Blind: no suggestion, no probability, no rank. Each has to be answered."""
    return paging.reply(service.checks(promise_id, paging.wanted))


@router.post(
    "/promises/{promise_id}/answers",
    summary="Answer a check: a decision like any other, and one check more",
    responses=problems(
        PromiseEndedError, CheckAnsweredError, UnknownClassError, ValidationFailedError
    ),
)
def answer_check(promise_id: str, wanted: AnswerWrite, service: WritingDep) -> AnswerRead:
    """The decision is in the log; undone there, the check is open again while the promise is.

    Decisions made elsewhere never count as checks. `unsure` counts against the promise.
    """
    return service.answer(promise_id, wanted)


@router.post(
    "/promises/{promise_id}/accept",
    summary="Accept the widest band that has passed, in one step; dry_run shows first",
    responses=problems(NothingToAcceptError, CountChangedError, ValidationFailedError),
)
def accept_band(
    promise_id: str,
    caller: Reviewer,
    context: ContextDep,
    begin: WriteOnDemand,
    wanted: AcceptWrite | None = None,
) -> BulkRead:
    """Relabels or excludes the band's undecided samples. One step of the log, undone as one."""
    wanted = wanted or AcceptWrite()
    if not wanted.dry_run:
        return _writing(caller, begin(), context).accept(promise_id, wanted)
    with context.tenant_database(caller.tenant_id).read() as session:
        return PromiseService(session, caller, context.wake_ups).preview(promise_id, wanted)


@router.post(
    "/promises/{promise_id}/close",
    summary="End a promise: kept if anything is proved by now, given up otherwise",
    responses=problems(PromiseEndedError),
)
def close_promise(promise_id: str, service: WritingDep) -> PromiseRead:
    """Bands that have passed may be accepted after that too."""
    return service.close(promise_id)
