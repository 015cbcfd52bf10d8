"""Middleware around every request: its id, its headers, and guards against pages of other sites."""

import re
from collections.abc import Mapping
from secrets import token_hex
from typing import Any
from urllib.parse import urlsplit

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.routing import compile_path
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from typing_extensions import override

from app.core.errors import ForeignOriginError
from app.core.settings import LOOPBACK_HOSTS

PROBES = frozenset({"/healthz", "/readyz", "/metrics", "/metrics/jobs"})
"""Paths that machines ask for every few seconds; they take a slow answer for a dead process."""


class HttpMiddleware:
    """A layer around HTTP requests; other traffic passes by."""

    def __init__(self, app: ASGIApp) -> None:
        """Wrap `app`."""
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        handle = self.serve if scope["type"] == "http" else self._app
        await handle(scope, receive, send)

    async def serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        raise NotImplementedError


METHODS = ("get", "put", "post", "delete", "options", "head", "patch")


def methods_of(document: Mapping[str, Any], path: str) -> str:
    """Return the value of `Allow` for a path, whatever its parameters are."""
    for template, methods in document["paths"].items():
        if compile_path(template)[0].fullmatch(path):
            return ", ".join(sorted(method.upper() for method in methods if method in METHODS))
    return ""


_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}", re.ASCII)
_SECURITY_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "X-Frame-Options": "DENY",
}
"""On every reply; a route that needs another value sets it itself, and that one stays."""


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
                if scope["path"].startswith("/v1/"):
                    headers.setdefault("Cache-Control", "no-store")
            await send(message)

        await self._app(scope, receive, send_with_headers)


FETCH_HEADER = "X-Label-Audit"
_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


class LoopbackOnlyMiddleware(HttpMiddleware):
    """Refuses requests whose `Host` or `Origin` is not this machine."""

    @override
    async def serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = Headers(scope=scope)
        callers = [f"//{headers.get('host', '')}", *headers.getlist("origin")]
        if not all(map(_is_loopback, callers)):
            raise ForeignOriginError("Without keys, only pages of this machine may call.")
        await self._app(scope, receive, send)


def require_own_page(method: str, headers: Headers) -> None:
    """Let a change through only if a page of this very service asks for it.

    Sites on other ports of this machine count as foreign, which a cookie's `SameSite` cannot
    tell. Every browser sends one of the two headers with a change; without any, refuse.

    Raises:
        ForeignOriginError: It comes from elsewhere.
    """
    if method in _SAFE_METHODS:
        return
    site = headers.get("sec-fetch-site")
    if site is None:
        host, origin = headers.get("host", ""), urlsplit(headers.get("origin", ""))
        site = "same-origin" if host and origin.netloc == host else "cross-site"
    if site != "same-origin":
        raise ForeignOriginError("Only a page of this service may ask for a change.")


def require_own_fetch(method: str, headers: Headers) -> None:
    """Let a change through only if a script of this very service asks for it.

    No form can send the header, so that not even markup slipped into a page can.

    Raises:
        ForeignOriginError: It comes from elsewhere.
    """
    require_own_page(method, headers)
    if method not in _SAFE_METHODS and FETCH_HEADER not in headers:
        raise ForeignOriginError(f"With a session, a change needs the header {FETCH_HEADER}: 1.")


def _is_loopback(url: str) -> bool:
    try:
        return urlsplit(url).hostname in LOOPBACK_HOSTS
    except ValueError:
        return False
