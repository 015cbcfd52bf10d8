"""What administrators did, written in the transaction in which they did it."""

from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from app.accounts.audit_repository import AuditRepository
from app.accounts.schemas import AuditEntryRead, Principal
from app.core.clock import utc_now
from app.core.pagination import NUMBER_KEY, Cursors, PageRequest, paginate
from app.core.schemas import Page
from app.models import AuditEntry


class AuditLog:
    """Notes the acts of one caller; without a caller, those of the command line."""

    def __init__(self, session: Session, caller: Principal | None) -> None:
        """Work inside the caller's unit of work."""
        self._session = session
        self._key_id = caller.key_id if caller is not None else None

    def note(self, tenant_id: UUID, action: str, target: str, **details: Any) -> None:
        """Append to the log of the tenant concerned; `details` must hold no secret."""
        AuditRepository(self._session, tenant_id).add(
            AuditEntry(
                key_id=self._key_id,
                action=action,
                target=target,
                details=details,
                created_at=utc_now(),
            )
        )


def read_log(session: Session, tenant_id: UUID, page: PageRequest) -> Page[AuditEntryRead]:
    """Return a part of a tenant's log, newest first."""
    cursors = Cursors(NUMBER_KEY, {"list": "audit-log"})
    newest = AuditRepository(session, tenant_id).newest
    rows, cursor = paginate(page, cursors, newest, key=lambda row: row.id)
    return Page(items=[AuditEntryRead.model_validate(row) for row in rows], next_cursor=cursor)
