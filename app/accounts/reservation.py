"""Bytes on their way in, which count against the tenant's quota before they are registered."""

import sys
from uuid import UUID, uuid4

from sqlalchemy.orm import Session

from app.accounts.quota_service import Quotas
from app.core.db import Database
from app.core.settings import Settings

_STEP = 16 * 1024**2
"""So many more bytes are reserved than have come, so that few of them need a transaction."""


class ByteReservation:
    """What one request may bring in, whether it said so or not; others are not given the same."""

    def __init__(self, database: Database, tenant_id: UUID, settings: Settings) -> None:
        """Reserve nothing yet; `database` is the tenant's."""
        self._database = database
        self._tenant_id = tenant_id
        self._settings = settings
        self._id = uuid4()
        self._num_bytes = 0

    def cover(self, num_bytes: int) -> None:
        """Make sure that the request may bring in `num_bytes` in all.

        Raises:
            QuotaExceededError: The tenant has no room for them.
        """
        if num_bytes <= self._num_bytes:
            return
        with self._database.unit_of_work() as session:
            granted = self._quotas(session).reserve_bytes(self._id, num_bytes, spare=_STEP)
        self._num_bytes = sys.maxsize if granted is None else granted

    def settle(self, session: Session, num_bytes: int) -> None:
        """Give the reservation back where `num_bytes` are registered.

        Raises:
            QuotaExceededError: The tenant has no room for them.
        """
        quotas = self._quotas(session)
        quotas.release_bytes(self._id)
        quotas.require_bytes(num_bytes)

    def release(self) -> None:
        """Give back what was not settled."""
        if 0 < self._num_bytes < sys.maxsize:
            with self._database.unit_of_work() as session:
                self._quotas(session).release_bytes(self._id)

    def _quotas(self, session: Session) -> Quotas:
        return Quotas(session, self._tenant_id, self._settings)
