"""Authentication of requests: the middleware that asks, and the rights that routes demand."""

from collections.abc import Awaitable, Callable
from typing import Annotated

import structlog
from anyio import to_thread
from fastapi import Depends, Request, Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from sqlalchemy.exc import OperationalError
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Send
from starlette.types import Scope as AsgiScope
from typing_extensions import override

from app.accounts.schemas import Principal, Scope
from app.accounts.service import AccountService, needs_touch, unauthenticated
from app.http.context import AppContext
from app.http.middleware import HttpMiddleware

_PROTECTED = "/v1"
_bearer = HTTPBearer(
    auto_error=False,
    scheme_name="ApiKey",
    bearerFormat="la_live_…",
    description="An API key: `labelaudit keys create` makes one.",
)
_log = structlog.get_logger(__name__)


class AuthenticationMiddleware(HttpMiddleware):
    """Asks for a key before anything below `/v1` is looked at.

    A dependency would come too late: the framework reads and parses the body first.
    """

    def __init__(self, app: ASGIApp, context: AppContext) -> None:
        """Wrap `app`."""
        super().__init__(app)
        self._context = context

    @override
    async def serve(self, scope: AsgiScope, receive: Receive, send: Send) -> None:
        if _is_protected(scope["path"]):
            principal = await to_thread.run_sync(self._identify, Headers(scope=scope))
            scope.setdefault("state", {})["principal"] = principal
        await self._app(scope, receive, send)

    def _identify(self, headers: Headers) -> Principal:
        if self._context.settings.auth == "off":
            return self._default_principal()
        scheme, _, key = headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer":
            raise unauthenticated()
        with self._context.database.read() as session:
            principal = AccountService(session, self._context.pepper).authenticate(key.strip())
        if needs_touch(principal):
            self._touch(principal)
        return principal

    def _default_principal(self) -> Principal:
        database, pepper = self._context.database, self._context.pepper
        with database.read() as session:
            tenant = AccountService(session, pepper).find_default_tenant()
        if tenant is None:
            with database.unit_of_work() as session:
                tenant = AccountService(session, pepper).ensure_default_tenant()
        return Principal(tenant.id, frozenset(Scope), key_id=None)

    def _touch(self, principal: Principal) -> None:
        try:
            with self._context.database.unit_of_work() as session:
                AccountService(session, self._context.pepper).touch(principal)
        except OperationalError:
            # A busy database is no reason to refuse a read.
            _log.warning("key_use_not_noted", key_id=principal.key_id)


def require(*scopes: Scope) -> Callable[..., Awaitable[Principal]]:
    """Return a dependency that gives the caller, if they have all of these rights."""

    async def caller(
        request: Request,
        _credentials: Annotated[HTTPAuthorizationCredentials | None, Security(_bearer)],
    ) -> Principal:
        principal: Principal | None = getattr(request.state, "principal", None)
        if principal is None:
            raise unauthenticated()
        principal.require(*scopes)
        return principal

    return caller


Reader = Annotated[Principal, Depends(require(Scope.READ))]
Reviewer = Annotated[Principal, Depends(require(Scope.REVIEW))]
Writer = Annotated[Principal, Depends(require(Scope.WRITE))]
Trainer = Annotated[Principal, Depends(require(Scope.TRAIN))]
Admin = Annotated[Principal, Depends(require(Scope.ADMIN))]


def _is_protected(path: str) -> bool:
    return path == _PROTECTED or path.startswith(f"{_PROTECTED}/")
