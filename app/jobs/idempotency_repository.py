"""Requests that are carried out once, however often they arrive."""

from datetime import datetime
from typing import cast
from uuid import UUID

from sqlalchemy import Table, delete, select, update
from sqlalchemy.orm import Session

from app.core.bulk import insert_missing
from app.core.clock import utc_now
from app.models import IdempotencyKey


class IdempotencyRepository:
    """Keys of one tenant."""

    def __init__(self, session: Session, tenant_id: UUID) -> None:
        """Work inside the caller's unit of work, for one tenant."""
        self._session = session
        self._tenant_id = tenant_id

    def reserve(self, key: str, request_hash: str) -> IdempotencyKey:
        """Return the key's row: a new one without a job, or that of an earlier request.

        A twin that is under way holds the row: this waits until it has ended either way.
        """
        row = {
            "tenant_id": self._tenant_id,
            "key": key,
            "request_hash": request_hash,
            "job_id": None,
            "created_at": utc_now(),
        }
        insert_missing(self._session, cast("Table", IdempotencyKey.__table__), [row])
        return self._session.scalars(
            select(IdempotencyKey).where(
                IdempotencyKey.tenant_id == self._tenant_id, IdempotencyKey.key == key
            )
        ).one()

    def fulfil(self, key: str, job_id: UUID) -> None:
        """Note what the request came to."""
        self._session.execute(
            update(IdempotencyKey)
            .where(IdempotencyKey.tenant_id == self._tenant_id, IdempotencyKey.key == key)
            .values(job_id=job_id)
        )


def remove_keys_before(session: Session, moment: datetime) -> None:
    """Forget old requests, of all tenants."""
    session.execute(delete(IdempotencyKey).where(IdempotencyKey.created_at < moment))
