from datetime import datetime
from uuid import UUID

from pydantic import Field

from app.core.schemas import InputModel, ReadModel
from app.webhooks.targets import MAX_URL


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
