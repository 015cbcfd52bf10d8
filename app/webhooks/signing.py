"""Signatures by the Standard Webhooks specification: receivers verify them with any library."""

import base64
import hashlib
import hmac
from uuid import UUID

_PREFIX = "whsec_"


def secret_of(pepper: bytes, webhook_id: UUID) -> bytes:
    """Return a webhook's secret: derived, so that a stolen database signs nothing."""
    return hmac.digest(pepper, b"webhook:" + webhook_id.bytes, hashlib.sha256)


def show_secret(secret: bytes) -> str:
    """Write a secret as receivers' libraries take it."""
    return _PREFIX + base64.b64encode(secret).decode()


def signed_headers(secret: bytes, message_id: str, timestamp: int, body: bytes) -> dict[str, str]:
    """Return the headers that prove who sent `body`, and when."""
    content = f"{message_id}.{timestamp}.".encode() + body
    signature = base64.b64encode(hmac.digest(secret, content, hashlib.sha256)).decode()
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": f"v1,{signature}",
    }
