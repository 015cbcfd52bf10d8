"""The log of administrative acts: written and read, never changed."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.models import AuditEntry


class AuditRepository:
    """The log of one tenant."""

    def __init__(self, session: Session, tenant_id: UUID) -> None:
        """Work inside the caller's unit of work, for one tenant."""
        self._session = session
        self._tenant_id = tenant_id

    def add(self, entry: AuditEntry) -> None:
        """Append an entry."""
        entry.tenant_id = self._tenant_id
        self._session.add(entry)
        self._session.flush()

    def newest(self, *, after: int | None, limit: int) -> Sequence[AuditEntry]:
        """Return a part of the log, newest first."""
        statement = (
            select(AuditEntry)
            .where(AuditEntry.tenant_id == self._tenant_id)
            .order_by(AuditEntry.id.desc())
            .limit(limit)
        )
        if after is not None:
            statement = statement.where(AuditEntry.id < after)
        return self._session.scalars(statement).all()
