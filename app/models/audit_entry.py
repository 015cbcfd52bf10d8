from typing import Any
from uuid import UUID

from sqlalchemy import ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Base, BigInt, HasCreatedAt


class AuditEntry(HasCreatedAt, Base):
    """One administrative act. Rows are added, never changed."""

    __tablename__ = "audit_entries"
    __table_args__ = (Index(None, "tenant_id", "id"),)

    id: Mapped[int] = mapped_column(BigInt, primary_key=True)
    tenant_id: Mapped[UUID] = mapped_column(ForeignKey("tenants.id"))
    """Whose log it stands in: that of the tenant that it concerns."""
    key_id: Mapped[str | None] = mapped_column(String(16))
    """Public part of the key that did it; none for the command line."""
    action: Mapped[str] = mapped_column(String(40))
    """Such as `key.created`."""
    target: Mapped[str] = mapped_column(String(100))
    """Id of what it was done to."""
    details: Mapped[dict[str, Any]]
