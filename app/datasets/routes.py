from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request, Response

from app.accounts.auth import Reader, Writer
from app.core.errors import InvalidCursorError, NotFoundError, StoreUnavailableError
from app.core.schemas import Page
from app.datasets.query import SampleFilter
from app.datasets.removal import DatasetRemoval
from app.datasets.schemas import (
    DatasetBusyError,
    DatasetNotReadyError,
    DatasetRead,
    DatasetSummary,
    DuplicateFilter,
    ImageSize,
    NoImageError,
    RejectedFileRead,
    SampleRead,
)
from app.datasets.service import DatasetService
from app.http.deps import ContextDep, ReadSession
from app.http.errors import COMMON_ERRORS, ValidationFailedError
from app.http.files import blob_response
from app.http.pagination import PagingDep
from app.http.preconditions import version_tag
from app.http.problems import problems
from app.models import Split

datasets_router = APIRouter(
    prefix="/v1/datasets", tags=["data sets"], responses=problems(*COMMON_ERRORS)
)
samples_router = APIRouter(
    prefix="/v1/samples", tags=["samples"], responses=problems(*COMMON_ERRORS, NotFoundError)
)

# The bytes are a stranger's: a browser must never see more in them than a picture.
_IMAGE_HEADERS = {
    "Content-Security-Policy": "sandbox; default-src 'none'",
    "Cache-Control": "private, max-age=31536000, immutable",
}


async def _service(caller: Reader, session: ReadSession) -> DatasetService:
    return DatasetService(session, caller.tenant_id)


def _removal(caller: Writer, context: ContextDep) -> DatasetRemoval:
    blobs = context.blobs(caller.tenant_id)
    database = context.tenant_database(caller.tenant_id)
    return DatasetRemoval(database, context.folder, blobs, caller.tenant_id)


async def _filter(
    split: Split | None = None,
    label: Annotated[str | None, Query(description="A class name")] = None,
    duplicates: Annotated[
        DuplicateFilter | None, Query(description="Only samples that show a picture shown twice")
    ] = None,
    max_agreement: Annotated[
        float | None,
        Query(ge=0, le=1, description="Only samples of several annotators who agree no more"),
    ] = None,
    tied: Annotated[
        bool | None,
        Query(description="Of the samples of several annotators those (not) drawn by lot"),
    ] = None,
) -> SampleFilter:
    return SampleFilter(
        split=split, label=label, duplicates=duplicates, max_agreement=max_agreement, tied=tied
    )


ServiceDep = Annotated[DatasetService, Depends(_service)]
RemovalDep = Annotated[DatasetRemoval, Depends(_removal)]


@datasets_router.get(
    "",
    summary="List data sets, newest first",
    responses=problems(ValidationFailedError, InvalidCursorError),
)
def list_datasets(service: ServiceDep, paging: PagingDep) -> Page[DatasetSummary]:
    """Newest first, page by page. A set is `pending` until its images are taken in."""
    return paging.reply(service.newest(paging.wanted))


@datasets_router.get("/{dataset_id}", summary="Get a data set", responses=problems(NotFoundError))
def get_dataset(dataset_id: str, service: ServiceDep) -> DatasetRead:
    """Classes, splits, counts, warnings of the intake and groups of equal pictures."""
    return service.read(dataset_id)


@datasets_router.delete(
    "/{dataset_id}",
    status_code=204,
    summary="Delete a data set with its jobs, findings and files",
    responses=problems(NotFoundError, DatasetBusyError),
)
def delete_dataset(dataset_id: str, removal: RemovalDep) -> None:
    """Everything that hangs on it goes too, and cannot be had back. A set whose job runs stays.

    It is out of sight at once; the rows and files of a large one go little by little after that.
    """
    removal.remove(dataset_id)


@datasets_router.get(
    "/{dataset_id}/samples",
    summary="List the samples of a data set by position",
    responses=problems(
        NotFoundError, DatasetNotReadyError, ValidationFailedError, InvalidCursorError
    ),
)
def list_samples(
    dataset_id: str,
    service: ServiceDep,
    paging: PagingDep,
    wanted: Annotated[SampleFilter, Depends(_filter)],
) -> Page[SampleRead]:
    """In the order of the upload.

    Filters may be combined; `duplicates` shows pictures that occur twice.
    """
    return paging.reply(service.samples(dataset_id, paging.wanted, wanted))


@datasets_router.get(
    "/{dataset_id}/rejected",
    summary="List the files that became no sample, and why",
    responses=problems(NotFoundError, ValidationFailedError, InvalidCursorError),
)
def list_rejected(
    dataset_id: str, service: ServiceDep, paging: PagingDep
) -> Page[RejectedFileRead]:
    """Single bad files never end a job; each is listed with its path, a code and the reason."""
    return paging.reply(service.rejected(dataset_id, paging.wanted))


@samples_router.get("/{sample_id}", summary="Get a sample")
def get_sample(sample_id: str, service: ServiceDep, response: Response) -> SampleRead:
    """The `ETag` is the `version` that a decision needs as `If-Match`."""
    sample = service.read_sample(sample_id)
    response.headers["ETag"] = version_tag(sample.version)
    return sample


@samples_router.get(
    "/{sample_id}/image",
    summary="Get a sample's image",
    response_class=Response,
    responses={
        200: {"content": {"image/*": {}}, "description": "The image"},
        **problems(NotFoundError, NoImageError, StoreUnavailableError),
    },
)
def get_image(
    sample_id: str,
    request: Request,
    caller: Reader,
    service: ServiceDep,
    context: ContextDep,
    size: ImageSize = ImageSize.FULL,
) -> Response:
    """The image as it was sent, or a WebP thumbnail. Bytes never change: caches may keep them."""
    image = service.find_image(sample_id, size)
    blobs = context.blobs(caller.tenant_id)
    return blob_response(request, blobs, image, headers=_IMAGE_HEADERS)
