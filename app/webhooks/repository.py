"""Receivers of one tenant, and the messages that wait for them.

The outbox is system-wide on purpose: one process delivers the messages of all tenants.
"""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from app.core.clock import database_seconds, utc_now
from app.models import Job, Webhook, WebhookDelivery


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


class OutboxRepository:
    """Written in the transaction that ends a job: no end without its messages."""

    def __init__(self, session: Session) -> None:
        """Work inside the caller's unit of work."""
        self._session = session

    def announce(self, job_id: UUID) -> None:
        """Queue a message to each receiver of the job's tenant."""
        job = self._session.scalars(
            select(Job).where(Job.id == job_id).execution_options(populate_existing=True)
        ).one()
        receivers = self._session.scalars(
            select(Webhook.id).where(
                Webhook.tenant_id == job.tenant_id, Webhook.disabled_at.is_(None)
            )
        ).all()
        self._session.add_all(
            WebhookDelivery(
                tenant_id=job.tenant_id,
                webhook_id=webhook_id,
                payload=_payload(job),
                next_at=database_seconds(),
            )
            for webhook_id in receivers
        )
        self._session.flush()

    def tenants_due(self) -> Sequence[UUID]:
        """Return whose messages are due, the longest waiting first."""
        return self._session.scalars(
            select(WebhookDelivery.tenant_id)
            .where(WebhookDelivery.next_at <= database_seconds())
            .group_by(WebhookDelivery.tenant_id)
            .order_by(func.min(WebhookDelivery.next_at))
        ).all()

    def seconds_late(self) -> float:
        """Return for how long the longest waiting message has been due, 0 where none is."""
        due_since = func.min(WebhookDelivery.next_at)
        return max(0.0, self._session.scalar(select(database_seconds() - due_since)) or 0.0)

    def claim_due(self, tenant_id: UUID, *, hold_seconds: float) -> WebhookDelivery | None:
        """Return a tenant's next message to send now; nobody else gets it for a while."""
        delivery = self._session.scalar(
            select(WebhookDelivery)
            .where(
                WebhookDelivery.tenant_id == tenant_id,
                WebhookDelivery.next_at <= database_seconds(),
            )
            .order_by(WebhookDelivery.next_at)
            .limit(1)
            .with_for_update(skip_locked=True)
        )
        if delivery is not None:
            delivery.num_tries += 1
            self._session.flush()
            self._set(delivery.id, next_at=database_seconds() + hold_seconds)
        return delivery

    def url_of(self, delivery: WebhookDelivery) -> str | None:
        """Return where to send a message; None if the receiver is gone."""
        return self._session.scalar(
            select(Webhook.url).where(
                Webhook.id == delivery.webhook_id, Webhook.disabled_at.is_(None)
            )
        )

    def mark_delivered(self, delivery_id: UUID, answer: str) -> None:
        """Be done with a message."""
        self._set(delivery_id, next_at=None, delivered_at=utc_now(), last_answer=answer)

    def mark_failed(self, delivery_id: UUID, answer: str, *, retry_after: float | None) -> None:
        """Try again after some seconds, or never."""
        next_at = None if retry_after is None else database_seconds() + retry_after
        self._set(delivery_id, next_at=next_at, last_answer=answer)

    def disable(self, webhook_id: UUID) -> None:
        """Send nothing more to a receiver that is gone for good."""
        self._session.execute(
            update(Webhook).where(Webhook.id == webhook_id).values(disabled_at=utc_now())
        )
        self._session.execute(
            update(WebhookDelivery)
            .where(WebhookDelivery.webhook_id == webhook_id)
            .values(next_at=None)
        )

    def _set(self, delivery_id: UUID, **values: Any) -> None:
        self._session.execute(
            update(WebhookDelivery)
            .where(WebhookDelivery.id == delivery_id)
            .values(**values)
            .execution_options(synchronize_session=False)
        )


def _payload(job: Job) -> dict[str, Any]:
    return {
        "type": f"job.{job.state.value}",
        "timestamp": utc_now().isoformat(timespec="seconds"),
        "data": {
            "job_id": str(job.id),
            "dataset_id": str(job.dataset_id),
            "kind": job.kind.value,
            "state": job.state.value,
            "error_code": job.error_code,
        },
    }
