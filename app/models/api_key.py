from datetime import datetime

from sqlalchemy import Index, String
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Base, HasCreatedAt, HasId, HasTenant


class ApiKey(HasId, HasTenant, HasCreatedAt, Base):
    """A credential. Only a keyed hash of it is kept."""

    __tablename__ = "api_keys"
    __table_args__ = (Index(None, "tenant_id"),)

    name: Mapped[str] = mapped_column(String(100))
    key_id: Mapped[str] = mapped_column(String(16), unique=True)
    """The public part of the key, by which it is found."""
    key_hash: Mapped[str] = mapped_column(String(64))
    """HMAC-SHA256 of the whole key, hexadecimal."""
    scopes: Mapped[list[str]]
    expires_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]
    last_used_at: Mapped[datetime | None]
