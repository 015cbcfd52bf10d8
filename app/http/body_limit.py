"""Caps on the bodies that are read into memory: their size, their depth, their time."""

import re
from collections.abc import Callable

import anyio
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from typing_extensions import override

from app.http.middleware import HttpMiddleware

_MAX_BODY_BYTES = 1024 * 1024
_MAX_DEPTH = 32
_PATIENCE_SECONDS = 30.0
_TEXT = re.compile(rb'"(?:[^"\\]|\\.)*"?', re.DOTALL)
_NO_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))


class BodyLimitMiddleware(HttpMiddleware):
    """Reads a whole body before anybody parses it; routes that stream see to theirs themselves."""

    def __init__(self, app: ASGIApp, *, streams: Callable[[str], bool]) -> None:
        """Wrap `app`; leave the paths alone that stream."""
        super().__init__(app)
        self._streams = streams

    @override
    async def serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._streams(scope["path"]):
            await self._app(scope, receive, send)
            return
        whole: Message | None = None

        async def receive_limited() -> Message:
            nonlocal whole
            if whole is not None:
                return await receive()
            whole = await _read(receive)
            return whole

        await self._app(scope, receive_limited, send)


# FastAPI hides any other exception than HTTPException that is raised while it reads a body.
async def _read(receive: Receive) -> Message:
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
                if len(body) > _MAX_BODY_BYTES:
                    raise HTTPException(413, f"The body may have {_MAX_BODY_BYTES} bytes.")
    except TimeoutError as error:
        detail = f"The body did not come within {_PATIENCE_SECONDS:.0f} s."
        raise HTTPException(408, detail) from error
    if is_deeper(bytes(body), _MAX_DEPTH):
        raise HTTPException(400, f"JSON may be nested {_MAX_DEPTH} levels deep.")
    return {"type": "http.request", "body": bytes(body), "more_body": False}


def is_deeper(json: bytes, max_depth: int) -> bool:
    """Tell whether a JSON text is nested deeper, without parsing it; of other bytes anything."""
    depth = 0
    for bracket in _TEXT.sub(b"", json).translate(None, _NO_BRACKETS):
        depth += 1 if bracket in b"[{" else -1
        if depth > max_depth:
            return True
    return False
