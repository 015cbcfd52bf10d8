"""Public keys of this service. System-wide: all tenants' files are signed by one key."""

from collections.abc import Sequence
from typing import cast

from sqlalchemy import Table, select
from sqlalchemy.orm import Session

from app.core.bulk import as_columns, insert_missing
from app.core.clock import utc_now
from app.core.signing import SigningKey
from app.models import PublishedKey


class KeyRepository:
    """Keys that have signed, and the one that does."""

    def __init__(self, session: Session) -> None:
        """Work inside the caller's unit of work."""
        self._session = session

    def get(self, key_id: str) -> PublishedKey | None:
        """Find a key."""
        return self._session.get(PublishedKey, key_id)

    def newest(self) -> Sequence[PublishedKey]:
        """Return all keys, newest first; a service has few."""
        return self._session.scalars(
            select(PublishedKey).order_by(PublishedKey.created_at.desc(), PublishedKey.key_id)
        ).all()

    def add(self, key: SigningKey) -> None:
        """Publish a key, unless it is already."""
        row = {
            "key_id": key.key_id,
            "public_key": key.public.hex(),
            "created_at": utc_now(),
        }
        insert_missing(self._session, cast("Table", PublishedKey.__table__), as_columns([row]))
