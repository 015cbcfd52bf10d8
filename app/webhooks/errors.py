from app.core.errors import AppError


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
