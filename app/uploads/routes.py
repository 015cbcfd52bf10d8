"""`/v1/uploads`: tus 1.0.0 with creation, checksum, expiration and termination."""

from typing import Annotated

from fastapi import APIRouter, Depends, Header, Response

from app.accounts.auth import Writer, require
from app.accounts.idempotency import IdempotentRoute
from app.accounts.schemas import QuotaExceededError, Scope
from app.core.disk import require_space
from app.core.errors import (
    ForbiddenError,
    InvalidRequestError,
    NoSpaceError,
    NotFoundError,
    PayloadTooLargeError,
)
from app.http.deps import ContextDep, ReadSession, WriteSession
from app.http.errors import COMMON_ERRORS, TruncatedUploadError, UnsupportedMediaTypeError
from app.http.problems import problems
from app.uploads.protocol import (
    UPLOADS_PATH,
    capabilities,
    expiry_header,
    require_version,
    state_headers,
)
from app.uploads.receiver import CHUNK_TYPE, UploadReceiver
from app.uploads.schemas import (
    ChecksumMismatchError,
    OffsetMismatchError,
    UnsupportedTusVersionError,
    UploadCreated,
    UploadExpiredError,
    UploadLockedError,
    UploadState,
    UploadUsedError,
    read_metadata,
)
from app.uploads.service import UploadService

_ONE = (NotFoundError, UploadExpiredError)
_BODY = {
    "requestBody": {
        "required": True,
        "content": {CHUNK_TYPE: {"schema": {"type": "string", "format": "binary"}}},
    }
}

_about = APIRouter(prefix=UPLOADS_PATH)
_versioned = APIRouter(
    prefix=UPLOADS_PATH,
    route_class=IdempotentRoute,
    dependencies=[Depends(require(Scope.WRITE)), Depends(require_version)],  # in this order
    responses=problems(UnsupportedTusVersionError),
)


@_about.options("", status_code=204, summary="What resumable uploads can do")
def describe_uploads(_caller: Writer, context: ContextDep, response: Response) -> None:
    """Version, extensions and the largest size, as headers (tus)."""
    response.headers.update(capabilities(context.settings.max_upload_bytes))


@_versioned.post(
    "",
    status_code=201,
    summary="Begin a resumable upload",
    responses=problems(
        InvalidRequestError, PayloadTooLargeError, NoSpaceError, ForbiddenError, QuotaExceededError
    ),
)
def create_upload(
    caller: Writer,
    context: ContextDep,
    session: WriteSession,
    response: Response,
    upload_length: Annotated[int, Header(ge=1)],
    upload_metadata: Annotated[str, Header(max_length=8192)] = "",
) -> UploadCreated:
    """Announces the size.

    The bytes follow by PATCH. Metadata is `key base64` pairs, `filename` among them.
    """
    settings = context.settings
    uploads = UploadService(session, caller.tenant_id, settings)
    upload = uploads.create(upload_length, read_metadata(upload_metadata))
    require_space(settings.data_dir, upload_length, min_free_bytes=settings.min_free_bytes)
    response.headers["Location"] = f"{UPLOADS_PATH}/{upload.id}"
    response.headers["Upload-Expires"] = expiry_header(upload.expires_at)
    return UploadCreated(upload_id=upload.id)


@_versioned.head(
    "/{upload_id}",
    summary="How far a resumable upload is",
    response_class=Response,
    responses=problems(*_ONE),
)
def get_upload(
    upload_id: str, caller: Writer, context: ContextDep, session: ReadSession, response: Response
) -> None:
    """`Upload-Offset` is where the next PATCH must begin."""
    upload = UploadService(session, caller.tenant_id, context.settings).find(upload_id)
    response.headers.update(state_headers(UploadState.of(upload)))


@_versioned.patch(
    "/{upload_id}",
    status_code=204,
    summary="Send the next bytes of a resumable upload",
    openapi_extra=_BODY,
    responses=problems(
        *_ONE,
        InvalidRequestError,
        TruncatedUploadError,
        OffsetMismatchError,
        UploadUsedError,
        PayloadTooLargeError,
        UnsupportedMediaTypeError,
        UploadLockedError,
        ChecksumMismatchError,
        NoSpaceError,
    ),
)
async def append_to_upload(
    upload_id: str,
    receiver: Annotated[UploadReceiver, Depends()],
    response: Response,
    upload_offset: Annotated[int, Header(ge=0)],
) -> None:
    """Stream the body to disk; `Upload-Checksum` makes it count as a whole or not at all."""
    written = await receiver.append(upload_id, upload_offset)
    response.headers["Upload-Offset"] = str(written.offset)
    response.headers["Upload-Expires"] = expiry_header(written.expires_at)


@_versioned.delete(
    "/{upload_id}",
    status_code=204,
    summary="Give up a resumable upload",
    responses=problems(*_ONE, UploadUsedError, UploadLockedError),
)
def delete_upload(upload_id: str, receiver: Annotated[UploadReceiver, Depends()]) -> None:
    """Frees its bytes at once; an upload that became a data set stays."""
    receiver.remove(upload_id)


router = APIRouter(tags=["uploads"], responses=problems(*COMMON_ERRORS))
router.include_router(_about)
router.include_router(_versioned)
