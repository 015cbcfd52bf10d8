"""What tus 1.0.0 asks of every request and reply (https://tus.io/protocols/resumable-upload)."""

from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Annotated

from fastapi import Header
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import Message, Receive, Scope, Send
from typing_extensions import override

from app.http.middleware import HttpMiddleware
from app.uploads.schemas import (
    CHECKSUM_ALGORITHMS,
    UnsupportedTusVersionError,
    UploadState,
    write_metadata,
)

UPLOADS_PATH = "/v1/uploads"
VERSION = "1.0.0"
_EXTENSIONS = ("creation", "checksum", "expiration", "termination")
_OVERRIDABLE = frozenset({"HEAD", "PATCH", "DELETE"})


class TusMiddleware(HttpMiddleware):
    """Names the version in every reply, errors included, and obeys method overrides."""

    @override
    async def serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        if not is_upload_path(scope["path"]):
            await self._app(scope, receive, send)
            return
        # Some proxies and browsers know no PATCH.
        method = Headers(scope=scope).get("x-http-method-override", "").upper()
        if method in _OVERRIDABLE:
            scope = {**scope, "method": method}

        async def send_with_version(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message)["Tus-Resumable"] = VERSION
            await send(message)

        await self._app(scope, receive, send_with_version)


def is_upload_path(path: str) -> bool:
    """Tell whether a path belongs to this protocol."""
    return path == UPLOADS_PATH or is_chunk_path(path)


def is_chunk_path(path: str) -> bool:
    """Tell whether a path is that of one upload, which takes its bytes by PATCH."""
    return path.startswith(f"{UPLOADS_PATH}/")


async def require_version(tus_resumable: Annotated[str | None, Header()] = None) -> None:
    """Go on only with clients that speak our version."""
    if tus_resumable != VERSION:
        raise UnsupportedTusVersionError(
            f"Send the header Tus-Resumable: {VERSION}.", headers={"Tus-Version": VERSION}
        )


def capabilities(max_bytes: int) -> dict[str, str]:
    """Return the headers that say what this server can do."""
    return {
        "Tus-Version": VERSION,
        "Tus-Extension": ",".join(_EXTENSIONS),
        "Tus-Max-Size": str(max_bytes),
        "Tus-Checksum-Algorithm": ",".join(CHECKSUM_ALGORITHMS),
    }


def expiry_header(expires_at: datetime) -> str:
    """Write a time as HTTP does."""
    return format_datetime(expires_at.astimezone(UTC), usegmt=True)


def state_headers(upload: UploadState) -> dict[str, str]:
    """Return all that a client may ask of an upload."""
    headers = {
        "Upload-Length": str(upload.num_bytes),
        "Upload-Offset": str(upload.offset),
        "Upload-Expires": expiry_header(upload.expires_at),
        "Cache-Control": "no-store",
    }
    return headers | ({"Upload-Metadata": write_metadata(upload.details)} if upload.details else {})
