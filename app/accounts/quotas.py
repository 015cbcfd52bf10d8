"""How much a tenant may use, and whether it may use more.

Bytes that are being received are reserved: they count before they are registered.
"""

import sys
from collections.abc import Mapping
from datetime import datetime, timedelta
from uuid import UUID, uuid4

from sqlalchemy.orm import Session

from app.accounts.repository import UsageRepository
from app.accounts.schemas import QuotaExceededError, QuotaRead, UsageRead
from app.core.clock import utc_now
from app.core.db import Database
from app.core.settings import Settings
from app.models import JobState

BYTES, SAMPLES, GPU_MINUTES = "bytes", "samples", "gpu_minutes"
QUEUED_JOBS, RUNNING_JOBS, REQUESTS = "queued_jobs", "running_jobs", "requests_per_minute"
_TILL_SOMETHING_ENDS = 30
_TILL_SOMETHING_IS_DELETED = 3600
"""Seconds after which another try makes sense, where only the tenant itself can know."""
_SECONDS = 60
_RESERVED_FOR = timedelta(hours=1)
"""Then the sweeper takes a reservation back: its process died. One that goes on is renewed."""


class Quotas:
    """The quotas of one tenant, its own or else the service's."""

    def __init__(self, session: Session, tenant_id: UUID, settings: Settings) -> None:
        """Work inside the caller's unit of work, for one tenant."""
        self._usage = UsageRepository(session, tenant_id)
        self._settings = settings

    def limits(self) -> Mapping[str, int | None]:
        """Return the limits by the names of the quotas; None where there is none."""
        own, common = self._usage.tenant(), self._settings.quotas
        return {
            name: default if (limit := getattr(own, f"max_{name}")) is None else limit
            for name, default in common.items()
        }

    def require_bytes(self, num_bytes: int) -> None:
        """Make sure that the tenant may bring in `num_bytes` more.

        Raises:
            QuotaExceededError: It may not.
        """
        limit = self.limits()[BYTES]
        if limit is not None:
            self._usage.lock()
            used = self._usage.num_bytes()
            if used + num_bytes > limit:
                raise _exceeded(BYTES, limit, used, _TILL_SOMETHING_IS_DELETED)

    def reserve_bytes(self, reservation_id: UUID, num_bytes: int, *, spare: int) -> int | None:
        """Count `num_bytes` as used until released, and up to `spare` more of what is left.

        Returns:
            What is reserved now; None where nothing is limited.

        Raises:
            QuotaExceededError: The tenant may not bring in so many.
        """
        limit = self.limits()[BYTES]
        if limit is None:
            return None
        self._usage.lock()
        self._usage.release(reservation_id)
        used = self._usage.num_bytes()
        if used + num_bytes > limit:
            raise _exceeded(BYTES, limit, used, _TILL_SOMETHING_IS_DELETED)
        granted = min(num_bytes + spare, limit - used)
        self._usage.reserve(reservation_id, granted, expires_at=utc_now() + _RESERVED_FOR)
        return granted

    def release_bytes(self, reservation_id: UUID) -> None:
        """Count the bytes of a reservation no longer."""
        self._usage.release(reservation_id)

    def require_samples(self, num_samples: int) -> None:
        """Make sure that the tenant may have `num_samples` more.

        Raises:
            QuotaExceededError: It may not.
        """
        limit = self.limits()[SAMPLES]
        if limit is not None:
            self._usage.lock()
            used = self._usage.num_samples()
            if used + num_samples > limit:
                raise _exceeded(SAMPLES, limit, used, _TILL_SOMETHING_IS_DELETED)

    def require_job(self, *, needs_gpu: bool) -> None:
        """Make sure that the tenant may queue one more job.

        Raises:
            QuotaExceededError: It may not, or its minutes on GPUs are used up.
        """
        limits = self.limits()
        limit = limits[QUEUED_JOBS]
        if limit is not None:
            self._usage.lock()
            used = self._usage.num_jobs().get(JobState.QUEUED, 0)
            if used >= limit:
                raise _exceeded(QUEUED_JOBS, limit, used, _TILL_SOMETHING_ENDS)
        minutes = limits[GPU_MINUTES]
        if needs_gpu and minutes is not None:
            now = utc_now()
            used = int(self._usage.gpu_seconds(_month(now)) / _SECONDS)
            if used >= minutes:
                wait = (_next_month(now) - now).total_seconds()
                raise _exceeded(GPU_MINUTES, minutes, used, int(wait) + 1)

    def read(self) -> UsageRead:
        """Describe what is used of what."""
        limits, period = self.limits(), _month(utc_now())
        jobs = self._usage.num_jobs()
        used: dict[str, float] = {
            BYTES: self._usage.num_bytes(),
            SAMPLES: self._usage.num_samples(),
            QUEUED_JOBS: jobs.get(JobState.QUEUED, 0),
            RUNNING_JOBS: jobs.get(JobState.RUNNING, 0),
            GPU_MINUTES: round(self._usage.gpu_seconds(period) / _SECONDS, 2),
        }
        quotas = [
            QuotaRead(name=name, limit=limit, used=used.get(name)) for name, limit in limits.items()
        ]
        return UsageRead(period_start=period, quotas=quotas)


def _exceeded(name: str, limit: int, used: int, wait: int) -> QuotaExceededError:
    return QuotaExceededError(
        f"The quota `{name}` is {limit}, and {used} are in use.",
        headers={"Retry-After": str(wait)},
        quota=name,
        limit=limit,
        used=used,
    )


def _month(moment: datetime) -> datetime:
    return moment.replace(day=1, hour=0, minute=0, second=0, microsecond=0)


def _next_month(moment: datetime) -> datetime:
    return _month(_month(moment) + timedelta(days=32))


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
