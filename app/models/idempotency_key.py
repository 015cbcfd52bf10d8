from datetime import datetime
from uuid import UUID

from sqlalchemy import ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from app.core.clock import utc_now
from app.models.base import Base


class IdempotencyKey(Base):
    """A request that was carried out once, so that its repetition is only answered again."""

    __tablename__ = "idempotency_keys"
    __table_args__ = (Index(None, "created_at"),)

    tenant_id: Mapped[UUID] = mapped_column(ForeignKey("tenants.id"), primary_key=True)
    key: Mapped[str] = mapped_column(String(255), primary_key=True)
    request_hash: Mapped[str] = mapped_column(String(64))
    """SHA-256 of caller, route and what was sent: the same key with another body is a mistake."""
    reply: Mapped[bytes | None]
    """Status, headers and body, encrypted: some replies show a secret this once.

    None only inside the transaction that carries the request out.
    """
    created_at: Mapped[datetime] = mapped_column(default=utc_now)
