from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response

from app.accounts.auth import Reader
from app.accounts.idempotency import IdempotentRoute
from app.accounts.quotas import Quotas
from app.accounts.schemas import QuotaExceededError
from app.core.blobs import open_blobs
from app.core.errors import NotFoundError, StoreUnavailableError
from app.datasets.schemas import DatasetNotReadyError, NoImagesError
from app.exports.schemas import ExportCreated, ExportOptions, ExportRead, NoAuditError
from app.exports.service import ExportService
from app.findings.schemas import NoFindingsError, NotFinishedError
from app.http.deps import ContextDep, ReadSession, WriteSession
from app.http.errors import COMMON_ERRORS
from app.http.files import blob_response
from app.http.problems import problems

router = APIRouter(
    prefix="/v1",
    tags=["exports"],
    route_class=IdempotentRoute,
    responses=problems(*COMMON_ERRORS, NotFoundError),
)


def _reading(caller: Reader, session: ReadSession, context: ContextDep) -> ExportService:
    return ExportService(session, caller, context.wake_ups)


def _writing(caller: Reader, session: WriteSession, context: ContextDep) -> ExportService:
    quotas = Quotas(session, caller.tenant_id, context.settings)
    return ExportService(session, caller, context.wake_ups, quotas=quotas)


ReadingDep = Annotated[ExportService, Depends(_reading)]
WritingDep = Annotated[ExportService, Depends(_writing)]


@router.post(
    "/datasets/{dataset_id}/exports",
    status_code=202,
    summary="Export a data set for the next tool; the original is never changed",
    responses=problems(
        DatasetNotReadyError,
        NoImagesError,
        NoAuditError,
        NotFinishedError,
        NoFindingsError,
        QuotaExceededError,
    ),
)
def create_export(
    dataset_id: str, options: ExportOptions, service: WritingDep, response: Response
) -> ExportCreated:
    """A job writes the file; the export is ready when that has succeeded."""
    created = service.create(dataset_id, options)
    response.headers["Location"] = f"/v1/exports/{created.export_id}"
    return created


@router.get("/exports/{export_id}", summary="Get an export")
def get_export(export_id: str, service: ReadingDep) -> ExportRead:
    """Its options, its job and, once that has succeeded, the file with size and SHA-256."""
    return service.read(export_id)


@router.get(
    "/exports/{export_id}/download",
    summary="Download the finished file, whole or in ranges",
    response_class=Response,
    responses={
        200: {"content": {"application/octet-stream": {}}, "description": "The file"},
        **problems(NotFinishedError, StoreUnavailableError),
    },
)
def download_export(
    export_id: str, request: Request, caller: Reader, service: ReadingDep, context: ContextDep
) -> Response:
    """The `ETag` is its SHA-256."""
    file = service.file(export_id)
    blobs = open_blobs(context.settings, caller.tenant_id)
    return blob_response(request, blobs, file, disposition="attachment")
