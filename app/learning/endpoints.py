from typing import Annotated

from fastapi import APIRouter, Depends, Query, Response

from app.accounts.auth import Reader, Reviewer
from app.accounts.idempotency import IdempotentRoute
from app.accounts.quota_service import Quotas
from app.core.errors import (
    ForbiddenError,
    InvalidCursorError,
    NotFoundError,
    UnauthenticatedError,
)
from app.core.schemas import Page
from app.findings.errors import NoFindingsError, NotFinishedError
from app.http.deps import ContextDep, ReadSession, WriteSession
from app.http.errors import DatabaseUnavailableError, ValidationFailedError
from app.http.pagination import PagingDep
from app.http.problems import problems
from app.learning.errors import NoDecisionsError, NoEarlierAuditError, SeedTakenError
from app.learning.schemas import (
    DifferenceRead,
    DrawRead,
    ProgressRead,
    RandomSampleRead,
    RandomSampleWrite,
    RecalibrationRead,
)
from app.learning.service import LearningService

_ALWAYS = (
    UnauthenticatedError,
    ForbiddenError,
    NotFoundError,
    ValidationFailedError,
    DatabaseUnavailableError,
)
_UNFINISHED = (NotFinishedError, NoFindingsError)

router = APIRouter(
    prefix="/v1/jobs/{job_id}",
    tags=["learning"],
    route_class=IdempotentRoute,
    responses=problems(*_ALWAYS, *_UNFINISHED),
)


def _reading(caller: Reader, session: ReadSession, context: ContextDep) -> LearningService:
    return LearningService(session, caller, context.wake_ups)


def _writing(caller: Reviewer, session: WriteSession, context: ContextDep) -> LearningService:
    quotas = Quotas(session, caller.tenant_id, context.settings)
    return LearningService(session, caller, context.wake_ups, quotas=quotas)


ReadingDep = Annotated[LearningService, Depends(_reading)]
WritingDep = Annotated[LearningService, Depends(_writing)]


@router.post(
    "/recalibrate",
    status_code=202,
    summary="Have the probabilities learn from the decisions so far",
    responses=problems(NoDecisionsError, *_UNFINISHED),
)
def recalibrate(job_id: str, service: WritingDep, response: Response) -> RecalibrationRead:
    """A job of its own publishes a new version of the results; ranks stay as they are."""
    started = service.recalibrate(job_id)
    response.headers["Location"] = f"/v1/jobs/{started.job_id}"
    return started


@router.get("/review/progress", summary="Tell how far the review is, what is left, when to stop")
def get_progress(
    job_id: str,
    service: ReadingDep,
    target: Annotated[float, Query(ge=0, le=1, allow_inf_nan=False)] = 0.01,
) -> ProgressRead:
    """What is decided, what the next hundred promise, how many wrong labels are left."""
    return service.progress(job_id, target_share=target)


@router.post(
    "/review/random-sample",
    summary="Draw samples by chance alone, to estimate the noise rate from",
    responses=problems(SeedTakenError, *_UNFINISHED),
)
def draw(job_id: str, service: WritingDep, wanted: RandomSampleWrite | None = None) -> DrawRead:
    """The noise rate is estimated from them. Asking for more prolongs the same list."""
    return service.draw(job_id, wanted or RandomSampleWrite())


@router.get(
    "/review/random-sample",
    summary="List the samples drawn by chance, in the order of the draw",
    responses=problems(InvalidCursorError, ValidationFailedError),
)
def list_drawn(job_id: str, service: ReadingDep, paging: PagingDep) -> Page[RandomSampleRead]:
    """Without suggestions, so that the estimate is not led by them."""
    return paging.reply(service.drawn(job_id, paging.wanted))


@router.get(
    "/difference",
    summary="Tell what this audit flags otherwise than an earlier one, by default the last",
    responses=problems(NoEarlierAuditError, *_UNFINISHED),
)
def get_difference(
    job_id: str,
    service: ReadingDep,
    against: str | None = None,
    limit: Annotated[int, Query(ge=0, le=500)] = 100,
) -> DifferenceRead:
    """What is flagged newly, what no longer, and how far decisions agree with it."""
    return service.difference(job_id, against, limit=limit)
