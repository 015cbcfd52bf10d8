from typing import Annotated

from fastapi import APIRouter, Depends, Query, Response

from app.accounts.auth import Reader, Reviewer
from app.accounts.idempotency import IdempotentRoute
from app.accounts.quotas import Quotas
from app.core.errors import (
    InvalidCursorError,
    NotFoundError,
)
from app.core.schemas import Page
from app.findings.schemas import NoFindingsError, NotFinishedError
from app.http.deps import ContextDep, ReadSession, WriteSession
from app.http.errors import COMMON_ERRORS, ValidationFailedError
from app.http.pagination import PagingDep
from app.http.problems import problems
from app.learning.schemas import (
    DifferenceRead,
    FirstLookRead,
    NoDecisionsError,
    NoEarlierAuditError,
    ProgressRead,
    RecalibrationRead,
)
from app.learning.service import LearningService

_UNFINISHED = (NotFinishedError, NoFindingsError)

router = APIRouter(
    prefix="/v1/jobs/{job_id}",
    tags=["learning"],
    route_class=IdempotentRoute,
    responses=problems(*COMMON_ERRORS, NotFoundError, *_UNFINISHED),
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


@router.get("/review/progress", summary="Tell how far the review is, and what is left")
def get_progress(job_id: str, service: ReadingDep) -> ProgressRead:
    """What is decided, what the next hundred promise, how many wrong labels are left."""
    return service.progress(job_id)


@router.get(
    "/review/first-look",
    summary="List the samples to look at first: decisions on these teach most",
    responses=problems(InvalidCursorError, ValidationFailedError),
)
def list_first_look(job_id: str, service: ReadingDep, paging: PagingDep) -> Page[FirstLookRead]:
    """Thirty decisions in this order narrow the intervals of the report.

    Chance alone chose every second sample; on the others the hypotheses of the audit differ most.
    There are no suggestions: they would lead the reviewer.
    """
    return paging.reply(service.first_look(job_id, paging.wanted))


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
