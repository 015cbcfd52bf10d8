"""Sessions of browsers: found before their tenant is known, as keys are."""

from datetime import datetime

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from app.models import ApiKey, Tenant, WebSession


class SessionRepository:
    """Finds a session by the hash of its token: only who holds the token has that."""

    def __init__(self, session: Session) -> None:
        """Work inside the caller's unit of work."""
        self._session = session

    def add(self, row: WebSession) -> None:
        """Store a new session."""
        self._session.add(row)
        self._session.flush()

    def find_key(self, token_hash: str, *, now: datetime) -> tuple[ApiKey, int | None] | None:
        """Return the key behind a session that is not over, and its tenant's own rate limit."""
        row = self._session.execute(
            select(ApiKey, Tenant.max_requests_per_minute)
            .join(WebSession, WebSession.key_id == ApiKey.key_id)
            .join(Tenant, Tenant.id == ApiKey.tenant_id)
            .where(WebSession.token_hash == token_hash, WebSession.expires_at > now)
        ).one_or_none()
        return None if row is None else (row[0], row[1])

    def remove(self, token_hash: str) -> None:
        """End a session."""
        self._session.execute(delete(WebSession).where(WebSession.token_hash == token_hash))

    def remove_expired(self, now: datetime) -> None:
        """Forget the sessions that are over."""
        self._session.execute(delete(WebSession).where(WebSession.expires_at <= now))
