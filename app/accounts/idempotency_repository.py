"""Requests that are carried out once, however often they arrive."""

import hashlib
from datetime import datetime
from typing import cast
from uuid import UUID

from sqlalchemy import Table, delete, func, select, update
from sqlalchemy.orm import Session

from app.core.bulk import as_columns, insert_missing
from app.core.clock import utc_now
from app.models import IdempotencyKey


class IdempotencyRepository:
    """Keys of one tenant."""

    def __init__(self, session: Session, tenant_id: UUID) -> None:
        """Work inside the caller's unit of work, for one tenant."""
        self._session = session
        self._tenant_id = tenant_id

    def find(self, key: str) -> IdempotencyKey | None:
        """Return the row of an earlier request."""
        return self._session.get(IdempotencyKey, (self._tenant_id, key))

    def try_lock(self, key: str) -> bool:
        """Keep twins in other processes out until this transaction ends; False if one is at it.

        SQLite has one writer: there, whoever has a write transaction has the key.
        """
        if self._session.get_bind().dialect.name != "postgresql":
            return True
        digest = hashlib.sha256(self._tenant_id.bytes + key.encode()).digest()
        number = int.from_bytes(digest[:8], signed=True)
        return self._session.scalar(select(func.pg_try_advisory_xact_lock(number))) is True

    def reserve(self, key: str, request_hash: str) -> IdempotencyKey:
        """Return the key's row: a new one without a reply, or that of an earlier request."""
        row = {
            "tenant_id": self._tenant_id,
            "key": key,
            "request_hash": request_hash,
            "reply": None,
            "created_at": utc_now(),
        }
        insert_missing(self._session, cast("Table", IdempotencyKey.__table__), as_columns([row]))
        return self._session.get_one(IdempotencyKey, (self._tenant_id, key))

    def fulfil(self, key: str, reply: bytes) -> None:
        """Note what the request was answered with."""
        self._session.execute(
            update(IdempotencyKey)
            .where(IdempotencyKey.tenant_id == self._tenant_id, IdempotencyKey.key == key)
            .values(reply=reply)
        )

    def forget(self, key: str) -> None:
        """Let the key be used again."""
        self._session.execute(
            delete(IdempotencyKey).where(
                IdempotencyKey.tenant_id == self._tenant_id, IdempotencyKey.key == key
            )
        )


def remove_keys_before(session: Session, moment: datetime) -> None:
    """Forget old requests, of all tenants."""
    session.execute(delete(IdempotencyKey).where(IdempotencyKey.created_at < moment))
