"""Who sent a request, and what its routes demand: keys, sessions of browsers, rights.

Long requests end soon after their key does: an upload, a download or a stream of events.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Self

import structlog
from anyio import to_thread
from fastapi import Depends, Request, Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from sqlalchemy.exc import OperationalError
from starlette.datastructures import Headers
from starlette.requests import cookie_parser
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Send
from starlette.types import Scope as AsgiScope
from typing_extensions import override

from app.accounts.rate_limit import RateLimiter
from app.accounts.schemas import Principal, Scope
from app.accounts.service import (
    SESSION_LIFETIME,
    AccountService,
    SessionService,
    needs_touch,
    unauthenticated,
)
from app.core.settings import Settings
from app.http.context import AppContext
from app.http.middleware import HttpMiddleware, require_own_fetch


@dataclass(frozen=True, slots=True)
class SessionCookie:
    """No script can read it, no other site can use it, and off this machine it needs TLS."""

    name: str
    secure: bool

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """Name it after the port: cookies do not tell the ports of one host apart."""
        name = f"labelaudit_session_{settings.port}"
        # The prefix makes the browser insist on Secure, on this very host, on the whole path.
        secure = not settings.on_loopback
        return cls(f"__Host-{name}" if secure else name, secure)

    def read(self, headers: Headers) -> str | None:
        """Return the token that a browser sent."""
        return cookie_parser(headers.get("cookie", "")).get(self.name)

    def set(self, response: Response, token: str) -> None:
        """Hand a token to the browser."""
        response.set_cookie(
            self.name,
            token,
            max_age=int(SESSION_LIFETIME.total_seconds()),
            secure=self.secure,
            httponly=True,
            samesite="lax",
        )

    def clear(self, response: Response) -> None:
        """Have the browser forget its token."""
        response.delete_cookie(self.name, secure=self.secure, httponly=True, samesite="lax")


_CHECK_SECONDS = 2.0


class KeyWatch:
    """Asks again, while bytes flow, whether the caller is still welcome."""

    def __init__(self, identify: Callable[[], object]) -> None:
        """`identify` raises `UnauthenticatedError` once the key is revoked or expired."""
        self._identify = identify
        self._checked_at = time.monotonic()

    def around(self, receive: Receive) -> Receive:
        """Return a `receive` that ends the request's body once the key is no longer good."""

        async def watched() -> Message:
            message = await receive()
            if message.get("more_body", False):
                await self._check()
            return message

        return watched

    def before(self, send: Send) -> Send:
        """Return a `send` that ends the reply once the key is no longer good."""

        async def watched(message: Message) -> None:
            if message.get("more_body", False):
                await self._check()
            await send(message)

        return watched

    async def _check(self) -> None:
        now = time.monotonic()
        if now - self._checked_at >= _CHECK_SECONDS:
            self._checked_at = now
            await to_thread.run_sync(self._identify)


_log = structlog.get_logger(__name__)


class Identifier:
    """Answers for one process; blocks on the database."""

    def __init__(self, context: AppContext) -> None:
        """Ask the database of `context`."""
        self._context = context
        self._cookie = SessionCookie.of(context.settings)

    def identify(self, headers: Headers) -> Principal:
        """Find out who calls; a key goes before a session.

        Raises:
            UnauthenticatedError: Nobody whom we know.
        """
        if self._context.settings.auth == "off":
            return self._default_principal()
        principal = self._by_cookie(headers) if is_by_cookie(headers) else self._by_key(headers)
        if needs_touch(principal):
            self._touch(principal)
        return principal

    def _by_key(self, headers: Headers) -> Principal:
        scheme, _, key = headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer":
            raise unauthenticated()
        with self._context.database.ask() as session:
            return AccountService(session, self._context.pepper).authenticate(key.strip())

    def _by_cookie(self, headers: Headers) -> Principal:
        token = self._cookie.read(headers)
        if token is None:
            raise unauthenticated()
        with self._context.database.ask() as session:
            return SessionService(session, self._context.pepper).identify(token)

    def _default_principal(self) -> Principal:
        database, pepper = self._context.database, self._context.pepper
        with database.read() as session:
            tenant = AccountService(session, pepper).find_default_tenant()
        if tenant is None:
            with database.unit_of_work() as session:
                tenant = AccountService(session, pepper).ensure_default_tenant()
        return Principal(
            tenant.id,
            frozenset(Scope),
            key_id=None,
            max_requests_per_minute=tenant.max_requests_per_minute,
        )

    def _touch(self, principal: Principal) -> None:
        try:
            with self._context.database.unit_of_work() as session:
                AccountService(session, self._context.pepper).touch(principal)
        except OperationalError:
            # A busy database is no reason to refuse a read.
            _log.warning("key_use_not_noted", key_id=principal.key_id)


def is_by_cookie(headers: Headers) -> bool:
    """Tell whether a request can only be known by its session."""
    return "authorization" not in headers


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
