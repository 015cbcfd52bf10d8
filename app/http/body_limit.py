"""Caps on the bodies that are read into memory: their size, their depth, their time."""

import re
from collections.abc import Callable
from email.message import Message as Header

import anyio
from anyio import to_thread
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from typing_extensions import override

from app.http.middleware import HttpMiddleware

MAX_BODY_BYTES = 1024 * 1024
_MAX_DEPTH = 32
_PATIENCE_SECONDS = 30.0
_TEXT = re.compile(rb'"(?:[^"\\]|\\.)*"?', re.DOTALL)
_NO_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))


class BodyLimitMiddleware(HttpMiddleware):
    """Reads a whole body before anybody parses it; routes that stream see to theirs themselves."""

    def __init__(self, app: ASGIApp, *, max_bytes: Callable[[str, str], int | None]) -> None:
        """Wrap `app`; ask `max_bytes` for the limit of a method and path, none of what streams."""
        super().__init__(app)
        self._max_bytes = max_bytes

    @override
    async def serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        max_bytes = self._max_bytes(scope["method"], scope["path"])
        if max_bytes is None:
            await self._app(scope, receive, send)
            return
        kind = Headers(scope=scope).get("content-type")
        whole = read_whole(receive, max_bytes=max_bytes)

        async def checked() -> Message:
            message = await whole()
            body = message.get("body", b"")
            if body and is_json(kind) and await to_thread.run_sync(is_deeper, body, _MAX_DEPTH):
                raise HTTPException(400, f"JSON may be nested {_MAX_DEPTH} levels deep.")
            return message

        await self._app(scope, checked, send)


def read_whole(receive: Receive, *, max_bytes: int = MAX_BODY_BYTES) -> Receive:
    """Return what gives the whole body in its first message, and whatever else comes after it."""
    is_read = False

    async def receive_whole() -> Message:
        nonlocal is_read
        if is_read:
            return await receive()
        is_read = True
        return await _read(receive, max_bytes)

    return receive_whole


def is_json(content_type: str | None) -> bool:
    """Tell whether a body may be read as JSON, by the rule of the framework; unsaid, it may."""
    if not content_type:
        return True
    header = Header()
    header["content-type"] = content_type
    subtype = header.get_content_subtype()
    is_named = subtype == "json" or subtype.endswith("+json")
    return is_named and header.get_content_maintype() == "application"


# FastAPI hides any other exception than HTTPException that is raised while it reads a body.
async def _read(receive: Receive, max_bytes: int) -> Message:
    body = bytearray()
    try:
        with anyio.fail_after(_PATIENCE_SECONDS):
            more = True
            while more:
                message = await receive()
                if message["type"] != "http.request":
                    return message
                body += message.get("body", b"")
                more = message.get("more_body", False)
                if len(body) > max_bytes:
                    raise HTTPException(413, f"The body may have {max_bytes} bytes.")
    except TimeoutError as error:
        detail = f"The body did not come within {_PATIENCE_SECONDS:.0f} s."
        raise HTTPException(408, detail) from error
    return {"type": "http.request", "body": bytes(body), "more_body": False}


def is_deeper(json: bytes, max_depth: int) -> bool:
    """Tell whether a JSON text is nested deeper, without parsing it; of other bytes anything."""
    depth = 0
    for bracket in _TEXT.sub(b"", json).translate(None, _NO_BRACKETS):
        depth += 1 if bracket in b"[{" else -1
        if depth > max_depth:
            return True
    return False
