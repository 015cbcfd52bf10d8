"""Authentication of requests: the middleware that asks, and the rights that routes demand."""

from dataclasses import dataclass
from typing import Annotated

from anyio import to_thread
from fastapi import Depends, Request, Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Send
from starlette.types import Scope as AsgiScope
from typing_extensions import override

from app.accounts.identity import Identifier, is_by_cookie
from app.accounts.key_watch import KeyWatch
from app.accounts.rate_limit import RateLimiter
from app.accounts.schemas import Principal, Scope
from app.accounts.service import unauthenticated
from app.http.context import AppContext
from app.http.middleware import HttpMiddleware
from app.http.origin import require_own_fetch

_PROTECTED = "/v1"
_bearer = HTTPBearer(
    auto_error=False,
    scheme_name="ApiKey",
    bearerFormat="la_live_…",
    description="An API key: `labelaudit keys create` makes one.",
)


class AuthenticationMiddleware(HttpMiddleware):
    """Asks for a key before anything below `/v1` is looked at.

    A dependency would come too late: the framework reads and parses the body first.
    """

    def __init__(self, app: ASGIApp, context: AppContext, limiter: RateLimiter) -> None:
        """Wrap `app`; `limiter` counts the requests, pages included."""
        super().__init__(app)
        self._auth_is_on = context.settings.auth == "on"
        self._identifier = Identifier(context)
        self._limiter = limiter

    @override
    async def serve(self, scope: AsgiScope, receive: Receive, send: Send) -> None:
        if not _is_protected(scope["path"]):
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        principal = await to_thread.run_sync(self._admit, headers)
        if self._auth_is_on and is_by_cookie(headers):
            require_own_fetch(scope["method"], headers)
        scope.setdefault("state", {})["principal"] = principal
        watch = KeyWatch(lambda: self._identifier.identify(headers))
        await self._app(scope, watch.around(receive), watch.before(send))

    def _admit(self, headers: Headers) -> Principal:
        principal = self._identifier.identify(headers)
        self._limiter.count(principal)
        return principal


@dataclass(frozen=True, slots=True)
class Requirement:
    """A dependency that gives the caller, if they have all of these rights."""

    scopes: tuple[Scope, ...]

    async def __call__(
        self,
        request: Request,
        _credentials: Annotated[HTTPAuthorizationCredentials | None, Security(_bearer)],
    ) -> Principal:
        """Return the caller whom the middleware found."""
        principal: Principal | None = getattr(request.state, "principal", None)
        if principal is None:
            raise unauthenticated()
        principal.require(*self.scopes)
        return principal


def require(*scopes: Scope) -> Requirement:
    """Return the dependency for these rights."""
    return Requirement(scopes)


Reader = Annotated[Principal, Depends(require(Scope.READ))]
Reviewer = Annotated[Principal, Depends(require(Scope.REVIEW))]
Writer = Annotated[Principal, Depends(require(Scope.WRITE))]
Trainer = Annotated[Principal, Depends(require(Scope.TRAIN))]
Admin = Annotated[Principal, Depends(require(Scope.ADMIN))]


def _is_protected(path: str) -> bool:
    return path == _PROTECTED or path.startswith(f"{_PROTECTED}/")
