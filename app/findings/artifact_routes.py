"""The files of a job by name, their hashes, and the signature of these."""

from typing import Annotated, Any, TypeAlias

from fastapi import APIRouter, Depends, Response
from starlette.responses import PlainTextResponse

from app.core.errors import NotFoundError
from app.core.schemas import Page
from app.findings.routes import SenderDep, ServiceDep
from app.findings.schemas import NotFinishedError, SigningKeyRead
from app.findings.signing_service import SUMS_NAME, SigningService
from app.http.deps import ContextDep
from app.http.errors import COMMON_ERRORS, DatabaseUnavailableError, ValidationFailedError
from app.http.problems import problems

_KEY_HEADER = "X-Signing-Key-Id"
_KEYS_PATH = "/.well-known/labelaudit/signing-keys"
_Replies: TypeAlias = dict[int | str, dict[str, Any]]
_SUMS_TEXT: _Replies = {200: {"content": {"text/plain": {}}, "description": "One line a file"}}
_SIGNATURE: _Replies = {
    200: {"content": {"application/octet-stream": {}}, "description": "64 bytes"}
}
_PEM: _Replies = {200: {"content": {"application/x-pem-file": {}}, "description": "The key"}}

router = APIRouter(
    prefix="/v1/jobs/{job_id}/artifacts",
    tags=["findings"],
    responses=problems(
        *COMMON_ERRORS,
        NotFoundError,
        NotFinishedError,
    ),
)
keys_router = APIRouter(
    tags=["signing keys"], responses=problems(ValidationFailedError, DatabaseUnavailableError)
)


def _signing(context: ContextDep) -> SigningService:
    return SigningService(context.database, context.signing_key)


SigningDep = Annotated[SigningService, Depends(_signing)]


@router.get(
    f"/{SUMS_NAME}",
    summary="Get the SHA-256 of all files of the job, for sha256sum -c",
    response_class=PlainTextResponse,
    responses=_SUMS_TEXT,
)
def get_sums(job_id: str, service: ServiceDep, signing: SigningDep) -> Response:
    """Lines as `sha256sum -c` reads them, for all files of the job."""
    headers = {_KEY_HEADER: signing.key_id}
    return Response(signing.sums(service, job_id), headers=headers, media_type="text/plain")


@router.get(
    f"/{SUMS_NAME}.sig",
    summary="Get the Ed25519 signature of SHA256SUMS",
    response_class=Response,
    responses=_SIGNATURE,
)
def get_signature(job_id: str, service: ServiceDep, signing: SigningDep) -> Response:
    """Ed25519 over the bytes of `SHA256SUMS`; the header names the key."""
    return Response(
        signing.sign(signing.sums(service, job_id)),
        headers={_KEY_HEADER: signing.key_id},
        media_type="application/octet-stream",
    )


@router.get(
    "/{name}",
    summary="Download one file of the job",
    response_class=Response,
    responses={200: {"content": {"application/octet-stream": {}}, "description": "The file"}},
)
def get_artifact(job_id: str, name: str, service: ServiceDep, sender: SenderDep) -> Response:
    """Ranges and `ETag` are understood, as for every file."""
    return sender.send(service.file(job_id, name), "attachment")


@keys_router.get(_KEYS_PATH, summary="List the public keys that sign, newest first")
def list_signing_keys(signing: SigningDep) -> Page[SigningKeyRead]:
    """All keys that signed anything here; the current one first."""
    return signing.keys()


@keys_router.get(
    _KEYS_PATH + "/{key_id}.pem",
    summary="Get one public key as PEM",
    response_class=Response,
    responses={**_PEM, **problems(NotFoundError)},
)
def get_signing_key(key_id: str, signing: SigningDep) -> Response:
    """As PEM, for `openssl pkeyutl -verify`."""
    return Response(signing.pem(key_id), media_type="application/x-pem-file")
