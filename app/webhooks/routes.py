from typing import Annotated

from fastapi import APIRouter, Depends

from app.accounts.auth import Admin
from app.accounts.idempotency import IdempotentRoute
from app.core.errors import NotFoundError
from app.core.schemas import Page
from app.http.deps import ContextDep, ReadSession, WriteSession
from app.http.errors import COMMON_ERRORS, ValidationFailedError
from app.http.problems import problems
from app.webhooks.schemas import (
    DeliveryRead,
    InvalidWebhookUrlError,
    TooManyWebhooksError,
    WebhookCreate,
    WebhookCreated,
    WebhookRead,
)
from app.webhooks.service import WebhookService

router = APIRouter(
    prefix="/v1/webhooks",
    tags=["webhooks"],
    route_class=IdempotentRoute,
    responses=problems(*COMMON_ERRORS),
)


def _reading(caller: Admin, session: ReadSession, context: ContextDep) -> WebhookService:
    return WebhookService(
        session,
        caller,
        pepper=context.pepper,
        private_allowed=context.settings.webhook_targets == "any",
    )


def _writing(caller: Admin, session: WriteSession, context: ContextDep) -> WebhookService:
    return _reading(caller, session, context)


ReadingDep = Annotated[WebhookService, Depends(_reading)]
WritingDep = Annotated[WebhookService, Depends(_writing)]


@router.post(
    "",
    status_code=201,
    summary="Tell a receiver when jobs end; the secret is shown this once",
    responses=problems(ValidationFailedError, InvalidWebhookUrlError, TooManyWebhooksError),
)
def create_webhook(wanted: WebhookCreate, service: WritingDep) -> WebhookCreated:
    """Messages are signed by the Standard Webhooks specification and tried again for three days."""
    return service.create(wanted)


@router.get("", summary="List the receivers")
def list_webhooks(service: ReadingDep) -> Page[WebhookRead]:
    """Without their secrets."""
    return service.all()


@router.get(
    "/{webhook_id}/deliveries",
    summary="List the latest messages to a receiver",
    responses=problems(NotFoundError),
)
def list_deliveries(webhook_id: str, service: ReadingDep) -> Page[DeliveryRead]:
    """Each with the number of tries and the last answer, to find out why nothing arrives."""
    return service.deliveries(webhook_id)


@router.delete(
    "/{webhook_id}",
    status_code=204,
    summary="Send nothing more to a receiver",
    responses=problems(NotFoundError),
)
def delete_webhook(webhook_id: str, service: WritingDep) -> None:
    """What is on its way may still arrive."""
    service.remove(webhook_id)
