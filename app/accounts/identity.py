"""Who sent a request: by key, by the session of a browser, or anybody where no keys are asked."""

import structlog
from sqlalchemy.exc import OperationalError
from starlette.datastructures import Headers

from app.accounts.cookies import SessionCookie
from app.accounts.schemas import Principal, Scope
from app.accounts.service import AccountService, needs_touch, unauthenticated
from app.accounts.session_service import SessionService
from app.http.context import AppContext

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
