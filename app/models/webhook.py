from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Base, HasCreatedAt, HasId, HasTenant


class Webhook(HasId, HasTenant, HasCreatedAt, Base):
    """A receiver that is told when jobs end. Its secret is derived, never stored."""

    __tablename__ = "webhooks"
    __table_args__ = (Index(None, "tenant_id"),)

    url: Mapped[str] = mapped_column(String(2048))
    disabled_at: Mapped[datetime | None]
    """The receiver answered 410: it is gone for good."""


class WebhookDelivery(HasId, HasTenant, HasCreatedAt, Base):
    """One message to one receiver; the outbox that is written with the job's own row."""

    __tablename__ = "webhook_deliveries"
    __table_args__ = (
        Index(None, "next_at"),
        Index(None, "webhook_id", "created_at"),
    )

    webhook_id: Mapped[UUID] = mapped_column(ForeignKey("webhooks.id", ondelete="CASCADE"))
    payload: Mapped[dict[str, Any]]
    num_tries: Mapped[int] = mapped_column(default=0)
    next_at: Mapped[float | None]
    """When to try, in seconds since 1970 by the database clock; None once it is over."""
    delivered_at: Mapped[datetime | None]
    last_answer: Mapped[str | None] = mapped_column(String(200))
    """Status of the last reply, or why there was none."""
