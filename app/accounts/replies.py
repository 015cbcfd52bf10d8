"""Replies as they are kept: encrypted, since a database dump must show no key and no secret."""

import base64
import hashlib
import hmac
import json
from dataclasses import dataclass

from cryptography.fernet import Fernet, InvalidToken

_PURPOSE = b"idempotency"


@dataclass(frozen=True, slots=True)
class StoredReply:
    """What a request was answered with."""

    status: int
    headers: dict[str, str]
    body: bytes

    def seal(self, pepper: bytes) -> bytes:
        """Return it encrypted under the service's secret."""
        content = [self.status, self.headers, base64.b64encode(self.body).decode()]
        return _cipher(pepper).encrypt(json.dumps(content).encode())

    @classmethod
    def open(cls, sealed: bytes, pepper: bytes) -> "StoredReply | None":
        """Read what `seal` made; nothing where the service's secret was another then."""
        try:
            status, headers, body = json.loads(_cipher(pepper).decrypt(sealed))
        except InvalidToken:
            return None
        return cls(status, headers, base64.b64decode(body))


def _cipher(pepper: bytes) -> Fernet:
    return Fernet(base64.urlsafe_b64encode(hmac.digest(pepper, _PURPOSE, hashlib.sha256)))
