"""Receivers of one tenant."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.models import Webhook, WebhookDelivery


class WebhookRepository:
    """Rows of one tenant."""

    def __init__(self, session: Session, tenant_id: UUID) -> None:
        """Work inside the caller's unit of work, for one tenant."""
        self._session = session
        self._tenant_id = tenant_id

    def add(self, url: str) -> Webhook:
        """Store a receiver."""
        webhook = Webhook(tenant_id=self._tenant_id, url=url)
        self._session.add(webhook)
        self._session.flush()
        return webhook

    def get(self, webhook_id: UUID) -> Webhook | None:
        """Find a receiver."""
        return self._session.scalar(
            select(Webhook).where(Webhook.id == webhook_id, Webhook.tenant_id == self._tenant_id)
        )

    def all(self) -> Sequence[Webhook]:
        """Return all receivers, oldest first."""
        return self._session.scalars(
            select(Webhook)
            .where(Webhook.tenant_id == self._tenant_id)
            .order_by(Webhook.created_at, Webhook.id)
        ).all()

    def count(self) -> int:
        """Return how many there are."""
        query = select(func.count()).where(Webhook.tenant_id == self._tenant_id)
        return self._session.scalar(query) or 0

    def remove(self, webhook: Webhook) -> None:
        """Forget a receiver with all of its messages."""
        self._session.delete(webhook)
        self._session.flush()

    def latest_deliveries(self, webhook: Webhook, *, limit: int) -> Sequence[WebhookDelivery]:
        """Return messages, newest first."""
        return self._session.scalars(
            select(WebhookDelivery)
            .where(
                WebhookDelivery.webhook_id == webhook.id,
                WebhookDelivery.tenant_id == self._tenant_id,
            )
            .order_by(WebhookDelivery.created_at.desc(), WebhookDelivery.id)
            .limit(limit)
        ).all()
