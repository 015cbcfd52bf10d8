"""Webhooks as the API reads and writes them."""

from datetime import datetime
from uuid import UUID

from pydantic import Field

from app.core.errors import AppError
from app.core.schemas import InputModel, ReadModel

MAX_URL = 2048


class InvalidWebhookUrlError(AppError):
    """Nothing that messages may be sent to."""

    status = 422
    code = "invalid_webhook_url"
    title = "Invalid webhook URL"


class TooManyWebhooksError(AppError):
    """As many receivers as one tenant may have."""

    status = 409
    code = "too_many_webhooks"
    title = "Too many webhooks"


class WebhookCreate(InputModel):
    """Who is to be told when jobs end."""

    url: str = Field(max_length=MAX_URL)


class WebhookRead(ReadModel):
    """A receiver."""

    id: UUID
    url: str
    created_at: datetime
    disabled_at: datetime | None
    """Set once the receiver answered 410."""


class WebhookCreated(WebhookRead):
    """A new receiver with the secret that verifies its messages."""

    secret: str


class DeliveryRead(ReadModel):
    """A message and what became of it."""

    id: UUID
    payload: dict[str, object]
    num_tries: int
    created_at: datetime
    delivered_at: datetime | None
    last_answer: str | None
