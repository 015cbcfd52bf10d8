"""Replies with the bytes of a stored file, named by their SHA-256."""

import re
from collections.abc import Mapping
from typing import Literal, Protocol
from urllib.parse import quote

from anyio import to_thread
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import FileResponse, Response, StreamingResponse
from starlette.types import Receive, Scope, Send
from typing_extensions import override

from app.core.blobs import Blobs
from app.http.turns import give_turn_back

_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})", re.ASCII)
_UNSATISFIABLE = (0, 0)


class FileInfo(Protocol):
    """What a reply tells of its file."""

    @property
    def name(self) -> str:
        """The name to save it under."""

    @property
    def sha256(self) -> str:
        """Its content's hash, and so its entity tag."""

    @property
    def media_type(self) -> str:
        """Fixed by us, never guessed from the bytes."""


def blob_response(
    request: Request,
    blobs: Blobs,
    info: FileInfo,
    *,
    disposition: Literal["inline", "attachment"] = "inline",
    headers: Mapping[str, str] | None = None,
) -> Response:
    """Serve whole or in ranges; answer 304 to whoever has these bytes already."""
    etag = f'"{info.sha256}"'
    all_headers = {"ETag": etag, **(headers or {})}
    if _matches(request.headers.get("if-none-match"), etag):
        return Response(status_code=304, headers=all_headers)
    path = blobs.local_path(info.sha256)
    if path is None:
        return _RemoteFile(blobs, info, disposition, all_headers)
    return FileResponse(
        path,
        media_type=info.media_type,
        filename=info.name,
        content_disposition_type=disposition,
        headers=all_headers,
    )


class _RemoteFile(Response):
    """Passes on what the store streams; of several ranges the whole is sent, as HTTP allows.

    The store is asked when the reply is sent: by then the request holds neither a turn nor a
    connection to the database, which others need while a store that is away lets itself be waited
    for.
    """

    def __init__(
        self, blobs: Blobs, info: FileInfo, disposition: str, headers: Mapping[str, str]
    ) -> None:
        super().__init__()
        self._blobs, self._info = blobs, info
        self._given_headers = {
            **headers,
            "Accept-Ranges": "bytes",
            "Content-Disposition": f"{disposition}; filename*=utf-8''{quote(info.name, safe='')}",
        }

    @override
    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        give_turn_back(scope)
        response = await to_thread.run_sync(self._opened, Headers(scope=scope))
        await response(scope, receive, send)

    def _opened(self, asked: Headers) -> Response:
        num_bytes = self._blobs.num_bytes(self._info.sha256)
        first, end, status = 0, num_bytes, 200
        etag = self._given_headers["ETag"]
        wanted = asked.get("range")
        if wanted is not None and asked.get("if-range", etag) == etag:
            found = _single_range(wanted, num_bytes)
            if found == _UNSATISFIABLE:
                return Response(status_code=416, headers={"Content-Range": f"bytes */{num_bytes}"})
            if found is not None:
                (first, end), status = found, 206
        extra = {"Content-Length": str(end - first)}
        if status == 206:
            extra["Content-Range"] = f"bytes {first}-{end - 1}/{num_bytes}"
        return StreamingResponse(
            self._blobs.read(self._info.sha256, first, end),
            status,
            {**self._given_headers, **extra},
            media_type=self._info.media_type,
        )


def _single_range(header: str, num_bytes: int) -> tuple[int, int] | None:
    """Return first byte and end; None for what is no single range of bytes."""
    match = _RANGE.fullmatch(header)
    if match is None or match.groups() == ("", ""):
        return None
    low, high = match.groups()
    if not low:
        first, end = max(0, num_bytes - int(high)), num_bytes
    else:
        first, end = int(low), min(int(high) + 1, num_bytes) if high else num_bytes
    return (first, end) if first < end else _UNSATISFIABLE


def _matches(if_none_match: str | None, etag: str) -> bool:
    if if_none_match is None:
        return False
    given = {tag.strip().removeprefix("W/") for tag in if_none_match.split(",")}
    return "*" in given or etag in given
