from datetime import timedelta
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request, Response
from starlette.responses import RedirectResponse

from app.accounts.auth import Reader
from app.core.errors import InvalidCursorError, NotFoundError, StoreUnavailableError
from app.core.schemas import Page
from app.findings.query import Bounds, DecisionFilter, FindingQuery, Sort, Verdict
from app.findings.schemas import (
    ArtifactRead,
    CursorExpiredError,
    EvidenceRead,
    FindingRead,
    FormatNotAvailableError,
    FormNotMadeError,
    ModelFormat,
    NoFindingsError,
    NoModelError,
    NotFinishedError,
    UnknownSortError,
)
from app.findings.service import EvidenceService, FindingService
from app.http.context import AppContext
from app.http.deps import ContextDep, ReadSession
from app.http.errors import COMMON_ERRORS, ValidationFailedError
from app.http.files import blob_response
from app.http.pagination import PagingDep
from app.http.problems import problems
from app.models import Artifact

router = APIRouter(
    prefix="/v1/jobs/{job_id}", tags=["findings"], responses=problems(*COMMON_ERRORS, NotFoundError)
)

Flag = Annotated[bool | None, Query()]
Probability = Annotated[float | None, Query(ge=0, le=1, allow_inf_nan=False)]


async def _service(caller: Reader, session: ReadSession, context: ContextDep) -> FindingService:
    return FindingService(session, caller.tenant_id, context.wake_ups)


async def _read_sort(
    sort: Annotated[str, Query(json_schema_extra={"enum": [*Sort]})] = Sort.WORST_FIRST,
) -> Sort:
    try:
        return Sort(sort)
    except ValueError:
        raise UnknownSortError(f"Use one of: {', '.join(Sort)}.", known=[*Sort]) from None


async def _read_flags(flagged: Flag = None, sure: Flag = None) -> tuple[bool | None, bool | None]:
    return flagged, sure


async def _read_bounds(
    min_p: Probability = None, max_p: Probability = None, min_posterior: Probability = None
) -> Bounds:
    return Bounds(min_p=min_p, max_p=max_p, min_posterior=min_posterior)


async def _query(
    sort: Annotated[Sort, Depends(_read_sort)],
    flags: Annotated[tuple[bool | None, bool | None], Depends(_read_flags)],
    bounds: Annotated[Bounds, Depends(_read_bounds)],
    label: str | None = None,
    suggested_label: str | None = None,
    decision: DecisionFilter | None = None,
    verdict: Verdict | None = None,
) -> FindingQuery:
    flagged, sure = flags
    return FindingQuery(
        flagged=flagged,
        sure=sure,
        **bounds,
        label=label,
        suggested_label=suggested_label,
        decision=decision,
        verdict=verdict,
        sort=sort,
    )


class FileSender:
    """Sends a stored artifact."""

    def __init__(self, request: Request, tenant_id: UUID, context: AppContext) -> None:
        """Serve one request of a tenant."""
        self._request = request
        self._tenant_id = tenant_id
        self._context = context

    def send(self, artifact: Artifact, disposition: Literal["inline", "attachment"]) -> Response:
        """Send whole or in ranges, or say where the store itself does so."""
        blobs = self._context.blobs(self._tenant_id)
        lifetime = self._context.settings.signed_url_seconds
        if lifetime is not None and disposition == "attachment":
            url = blobs.signed_url(artifact.sha256, timedelta(seconds=lifetime))
            if url is not None:
                return RedirectResponse(url, headers={"Cache-Control": "no-store"})
        return blob_response(self._request, blobs, artifact, disposition=disposition)


async def _sender(request: Request, caller: Reader, context: ContextDep) -> FileSender:
    return FileSender(request, caller.tenant_id, context)


def _evidence(caller: Reader, session: ReadSession, context: ContextDep) -> EvidenceService:
    tenant_id = caller.tenant_id
    return EvidenceService(session, tenant_id, context.wake_ups, context.blobs(tenant_id))


EvidenceDep = Annotated[EvidenceService, Depends(_evidence)]
ServiceDep = Annotated[FindingService, Depends(_service)]
QueryDep = Annotated[FindingQuery, Depends(_query)]
SenderDep = Annotated[FileSender, Depends(_sender)]


@router.get(
    "/samples",
    summary="List what the audit says of each training sample, worst first",
    responses=problems(
        NotFinishedError,
        NoFindingsError,
        ValidationFailedError,
        InvalidCursorError,
        CursorExpiredError,
        UnknownSortError,
    ),
)
def list_findings(
    job_id: str, service: ServiceDep, query: QueryDep, paging: PagingDep
) -> Page[FindingRead]:
    """The cursor is pinned to the results.

    A walk stays exact while a newer result is published, for a day after that. Filters may be
    combined.
    """
    return paging.reply(service.page(job_id, query, paging.wanted))


@router.get(
    "/samples/{sample_id}/evidence",
    summary="Get how one sample was learned, and which samples are most like it",
    responses=problems(NotFinishedError, NoFindingsError, StoreUnavailableError),
)
def get_evidence(job_id: str, sample_id: str, evidence: EvidenceDep) -> EvidenceRead:
    """So far as the job has kept it.

    Audits of older releases have kept nothing; uploaded scores have no epochs, and similar samples
    only where the upload had features.
    """
    return evidence.read(job_id, sample_id)


@router.get("/artifacts", summary="List the files that the job made")
def list_artifacts(job_id: str, service: ServiceDep) -> Page[ArtifactRead]:
    """Each with its size and SHA-256; none before the job has succeeded."""
    return service.artifacts(job_id)


@router.get(
    "/report",
    summary="Get the report: noise rate, mixture per epoch, classes, warnings",
    response_class=Response,
    responses={
        200: {"content": {"application/json": {}}, "description": "The report"},
        **problems(NotFinishedError, NoFindingsError, StoreUnavailableError),
    },
)
def get_report(job_id: str, service: ServiceDep, sender: SenderDep) -> Response:
    """As JSON. It says how far to trust it: intervals, convergence, fallbacks and warnings."""
    return sender.send(service.report(job_id), "inline")


@router.get(
    "/model",
    summary="Download the robustly trained model in one of its forms, or its card",
    response_class=Response,
    responses={
        200: {
            "content": {"application/octet-stream": {}, "application/json": {}},
            "description": "The model",
        },
        307: {"description": "Where the store itself sends it"},
        **problems(
            NotFoundError,
            NoModelError,
            FormNotMadeError,
            NotFinishedError,
            NoFindingsError,
            FormatNotAvailableError,
            StoreUnavailableError,
        ),
    },
)
def get_model(
    job_id: str,
    service: ServiceDep,
    sender: SenderDep,
    model_format: Annotated[ModelFormat, Query(alias="format")] = ModelFormat.SAFETENSORS,
) -> Response:
    """Whole or in ranges.

    The `ETag` is its SHA-256. The card says how to build the network around the weights.
    """
    return sender.send(service.model(job_id, model_format), "attachment")
