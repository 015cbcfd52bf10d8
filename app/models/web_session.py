from datetime import datetime

from sqlalchemy import ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Base, HasCreatedAt, HasId, HasTenant


class WebSession(HasId, HasTenant, HasCreatedAt, Base):
    """A browser that signed in with a key. It may do what the key may, and ends with it."""

    __tablename__ = "web_sessions"
    __table_args__ = (Index(None, "expires_at"), Index(None, "key_id"))

    token_hash: Mapped[str] = mapped_column(String(64), unique=True)
    """HMAC-SHA256 of what the browser holds, hexadecimal."""
    key_id: Mapped[str] = mapped_column(ForeignKey("api_keys.key_id", ondelete="CASCADE"))
    expires_at: Mapped[datetime]
