from sqlalchemy.orm import Session

from app.accounts.schemas import Principal
from app.accounts.service import AuditLog
from app.core.ids import not_found, parse_uuid
from app.core.schemas import Page
from app.models import Webhook
from app.webhooks.delivery import parse_target, secret_of, show_secret
from app.webhooks.repository import WebhookRepository
from app.webhooks.schemas import (
    DeliveryRead,
    TooManyWebhooksError,
    WebhookCreate,
    WebhookCreated,
    WebhookRead,
)

MAX_WEBHOOKS = 20
_DELIVERIES_SHOWN = 100


class WebhookService:
    """Receivers of one tenant, inside one unit of work."""

    def __init__(
        self, session: Session, caller: Principal, *, pepper: bytes, private_allowed: bool
    ) -> None:
        """Derive secrets from `pepper`; take private addresses only where the operator does."""
        self._tenant_id = caller.tenant_id
        self._webhooks = WebhookRepository(session, caller.tenant_id)
        self._log = AuditLog(session, caller)
        self._pepper = pepper
        self._private_allowed = private_allowed

    def create(self, wanted: WebhookCreate) -> WebhookCreated:
        """Register a receiver.

        Raises:
            InvalidWebhookUrlError: Nothing may be sent there.
            TooManyWebhooksError: There are enough.
        """
        parse_target(wanted.url, private_allowed=self._private_allowed)
        if self._webhooks.count() >= MAX_WEBHOOKS:
            raise TooManyWebhooksError(f"There may be {MAX_WEBHOOKS}; delete one first.")
        row = self._webhooks.add(wanted.url)
        # Without the URL, which may hold a secret of the receiver's.
        self._log.note(self._tenant_id, "webhook.created", str(row.id))
        secret = show_secret(secret_of(self._pepper, row.id))
        shown = WebhookRead.model_validate(row).model_dump()
        return WebhookCreated.model_validate(shown | {"secret": secret})

    def all(self) -> Page[WebhookRead]:
        """List all receivers: there are few."""
        rows = self._webhooks.all()
        return Page(items=[WebhookRead.model_validate(row) for row in rows], next_cursor=None)

    def deliveries(self, webhook_id: str) -> Page[DeliveryRead]:
        """List the latest messages to a receiver.

        Raises:
            NotFoundError: The tenant has no such webhook.
        """
        rows = self._webhooks.latest_deliveries(self._find(webhook_id), limit=_DELIVERIES_SHOWN)
        return Page(items=[DeliveryRead.model_validate(row) for row in rows], next_cursor=None)

    def remove(self, webhook_id: str) -> None:
        """Forget a receiver.

        Raises:
            NotFoundError: The tenant has no such webhook.
        """
        row = self._find(webhook_id)
        self._webhooks.remove(row)
        self._log.note(self._tenant_id, "webhook.deleted", str(row.id))

    def _find(self, webhook_id: str) -> Webhook:
        row = self._webhooks.get(parse_uuid(webhook_id, "webhook"))
        if row is None:
            raise not_found("webhook")
        return row
