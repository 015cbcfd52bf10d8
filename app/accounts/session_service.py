"""Signing in to the pages: a key is shown once, a session stands for it afterwards."""

import secrets
from datetime import timedelta

from sqlalchemy.orm import Session

from app.accounts.keys import hash_key
from app.accounts.schemas import Principal
from app.accounts.service import is_current, principal_of, unauthenticated
from app.accounts.session_repository import SessionRepository
from app.core.clock import utc_now
from app.models import WebSession

LIFETIME = timedelta(hours=12)
"""A working day; afterwards the key is asked for again."""
_NUM_BYTES = 32


class SessionService:
    """Sessions of browsers, inside one unit of work."""

    def __init__(self, session: Session, pepper: bytes) -> None:
        """Hash tokens with `pepper`: a stolen database opens no session."""
        self._session = session
        self._sessions = SessionRepository(session)
        self._pepper = pepper

    def begin(self, caller: Principal) -> str:
        """Begin a session of who showed a key; return its token, which is kept nowhere else.

        Raises:
            UnauthenticatedError: The caller has no key.
        """
        if caller.key_id is None:
            raise unauthenticated()
        now = utc_now()
        token = secrets.token_urlsafe(_NUM_BYTES)
        self._sessions.remove_expired(now)
        self._sessions.add(
            WebSession(
                tenant_id=caller.tenant_id,
                key_id=caller.key_id,
                token_hash=hash_key(token, self._pepper),
                created_at=now,
                expires_at=now + LIFETIME,
            )
        )
        return token

    def identify(self, token: str) -> Principal:
        """Find out who calls.

        Raises:
            UnauthenticatedError: The session is over, or its key is.
        """
        found = self._sessions.find_key(hash_key(token, self._pepper), now=utc_now())
        if found is None or not is_current(found[0]):
            raise unauthenticated()
        return principal_of(*found)

    def sign_out(self, token: str) -> None:
        """End a session; what the browser holds is then worth nothing."""
        self._sessions.remove(hash_key(token, self._pepper))
