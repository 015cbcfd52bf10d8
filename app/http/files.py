"""Replies with the bytes of a stored file, named by their SHA-256."""

from collections.abc import Mapping
from pathlib import Path
from typing import Literal, Protocol

from starlette.requests import Request
from starlette.responses import FileResponse, Response


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


def file_response(
    request: Request,
    path: Path,
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
    return FileResponse(
        path,
        media_type=info.media_type,
        filename=info.name,
        content_disposition_type=disposition,
        headers=all_headers,
    )


def _matches(if_none_match: str | None, etag: str) -> bool:
    if if_none_match is None:
        return False
    given = {tag.strip().removeprefix("W/") for tag in if_none_match.split(",")}
    return "*" in given or etag in given
