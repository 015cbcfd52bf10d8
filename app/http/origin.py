"""Guards a service that runs without keys against pages of other sites (DNS rebinding)."""

from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.types import Receive, Scope, Send
from typing_extensions import override

from app.core.errors import ForeignOriginError
from app.core.settings import LOOPBACK_HOSTS
from app.http.middleware import HttpMiddleware


class LoopbackOnlyMiddleware(HttpMiddleware):
    """Refuses requests whose `Host` or `Origin` is not this machine."""

    @override
    async def serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = Headers(scope=scope)
        callers = [f"//{headers.get('host', '')}", *headers.getlist("origin")]
        if not all(map(_is_loopback, callers)):
            raise ForeignOriginError("Without keys, only pages of this machine may call.")
        await self._app(scope, receive, send)


def _is_loopback(url: str) -> bool:
    try:
        return urlsplit(url).hostname in LOOPBACK_HOSTS
    except ValueError:
        return False
