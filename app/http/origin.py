"""Guards against pages of other sites: on a service without keys, and behind a session."""

from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.types import Receive, Scope, Send
from typing_extensions import override

from app.core.errors import ForeignOriginError
from app.core.settings import LOOPBACK_HOSTS
from app.http.middleware import HttpMiddleware

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
