"""Middleware around every request: its id, its headers, its size."""

import re
from collections.abc import Callable
from secrets import token_hex

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from typing_extensions import override

from app.http.middleware import HttpMiddleware

_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}", re.ASCII)
_MAX_BODY_BYTES = 1024 * 1024
_SECURITY_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
}


class RequestIdMiddleware(HttpMiddleware):
    """Takes or makes `X-Request-ID`, binds it to the logs and sends it back."""

    @override
    async def serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        given = Headers(scope=scope).get("x-request-id", "")
        request_id = given if _REQUEST_ID.fullmatch(given) else token_hex(8)
        scope.setdefault("state", {})["request_id"] = request_id

        async def send_with_id(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message)["X-Request-ID"] = request_id
            await send(message)

        with structlog.contextvars.bound_contextvars(request_id=request_id):
            await self._app(scope, receive, send_with_id)


class SecurityHeadersMiddleware(HttpMiddleware):
    """Sets the headers that a route did not set more exactly itself."""

    @override
    async def serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _SECURITY_HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        await self._app(scope, receive, send_with_headers)


class BodyLimitMiddleware(HttpMiddleware):
    """Caps the bodies that are read into memory; routes that stream see to theirs themselves."""

    def __init__(self, app: ASGIApp, *, streams: Callable[[str], bool]) -> None:
        """Wrap `app`; leave the paths alone that stream."""
        super().__init__(app)
        self._streams = streams

    @override
    async def serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._streams(scope["path"]):
            await self._app(scope, receive, send)
            return
        num_bytes = 0

        async def receive_limited() -> Message:
            nonlocal num_bytes
            message = await receive()
            num_bytes += len(message.get("body", b""))
            if num_bytes > _MAX_BODY_BYTES:
                # FastAPI hides any other exception raised while it reads a body.
                raise HTTPException(413, f"The body may have {_MAX_BODY_BYTES} bytes.")
            return message

        await self._app(scope, receive_limited, send)
