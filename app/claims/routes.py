from typing import Annotated

from fastapi import APIRouter, Depends

from app.accounts.auth import Reader, Reviewer
from app.accounts.idempotency import IdempotentRoute
from app.claims.schemas import (
    AgreementRead,
    ClaimRead,
    ClaimWrite,
    ConflictRead,
    ReleaseRead,
    TooManyClaimsError,
)
from app.claims.service import ClaimService
from app.core.errors import InvalidCursorError, NotFoundError
from app.core.schemas import Page
from app.findings.schemas import NoFindingsError, NotFinishedError
from app.http.deps import ContextDep, ReadSession, WriteSession
from app.http.errors import COMMON_ERRORS, ValidationFailedError
from app.http.pagination import PagingDep
from app.http.problems import problems

router = APIRouter(
    prefix="/v1/jobs/{job_id}",
    tags=["reviewers"],
    route_class=IdempotentRoute,
    responses=problems(
        *COMMON_ERRORS,
        NotFoundError,
        NotFinishedError,
        NoFindingsError,
    ),
)


def _reading(caller: Reader, session: ReadSession, context: ContextDep) -> ClaimService:
    return ClaimService(session, caller, context.wake_ups)


def _claiming(caller: Reviewer, session: WriteSession, context: ContextDep) -> ClaimService:
    return ClaimService(session, caller, context.wake_ups)


ReadingDep = Annotated[ClaimService, Depends(_reading)]
ClaimingDep = Annotated[ClaimService, Depends(_claiming)]


@router.post(
    "/claims",
    summary="Take the next samples that are nobody's, worst first",
    responses=problems(TooManyClaimsError, NotFinishedError, NoFindingsError),
)
def claim(job_id: str, service: ClaimingDep, wanted: ClaimWrite | None = None) -> Page[ClaimRead]:
    """Nobody else is given them until you decide, give them back, or the time is over."""
    return service.claim(job_id, wanted or ClaimWrite())


@router.get("/claims", summary="List the samples that you hold, worst first")
def list_claims(job_id: str, service: ReadingDep) -> Page[ClaimRead]:
    """Worst first, as they were handed out; a blind reviewer sees no suggestion."""
    return service.held(job_id)


@router.delete("/claims", summary="Give back the samples that you hold")
def release_claims(job_id: str, service: ClaimingDep) -> ReleaseRead:
    """Others may have them at once. What was decided stays decided."""
    return service.release_all(job_id)


@router.get("/agreement", summary="Tell how far reviewers agree where two have looked")
def get_agreement(job_id: str, service: ReadingDep) -> AgreementRead:
    """Cohen's kappa for each pair of reviewers, over the samples that both decided on."""
    return service.agreement(job_id)


@router.get(
    "/conflicts",
    summary="List the samples that reviewers see differently, until somebody settles them",
    responses=problems(InvalidCursorError, ValidationFailedError),
)
def list_conflicts(job_id: str, service: ReadingDep, paging: PagingDep) -> Page[ConflictRead]:
    """A decision with `resolves` settles one; until then it counts for nothing."""
    return paging.reply(service.conflicts(job_id, paging.wanted))
