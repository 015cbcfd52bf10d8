"""A claim on one job: what was claimed, and the lease that keeps it."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from app.core.background import BackgroundLoop
from app.core.db import Database
from app.core.settings import Settings
from app.jobs.lease_repository import AttemptRepository, Fence, FencedError, LeaseRepository
from app.models import Job, JobKind, Queue
from worker.processes.errors import CancelledError

_PROGRESS_SECONDS = 1.0
"""At most one progress write in this time; without news the heartbeat is enough."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """What a worker needs to know of the job that it claimed."""

    fence: Fence
    tenant_id: UUID
    dataset_id: UUID
    kind: JobKind
    queue: Queue
    options: dict[str, Any]
    checkpoint: str | None
    lost_attempts: int

    @classmethod
    def of(cls, job: Job) -> "Attempt":
        """Copy the row as it is right after its claim."""
        if job.owner is None:
            raise ValueError(f"job {job.id} is not claimed")
        return cls(
            fence=Fence(job_id=job.id, attempt=job.attempt, owner=job.owner),
            tenant_id=job.tenant_id,
            dataset_id=job.dataset_id,
            kind=job.kind,
            queue=job.queue,
            options=job.options,
            checkpoint=job.checkpoint,
            lost_attempts=job.lost_attempts,
        )


@dataclass(slots=True)
class RowUpdate:
    """What an event of the child means for the job row and its history."""

    values: dict[str, Any] = field(default_factory=dict)
    events: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    log: str | None = None
    """End of the child's log, if it has grown. No reason to write before the next heartbeat."""

    def add(self, other: "RowUpdate") -> None:
        """Merge a later update into this one that was not written yet."""
        self.values |= other.values
        self.events += other.events

    def __bool__(self) -> bool:
        return bool(self.values or self.events)


class Lease:
    """The claim on one job, as seen from its owner's clock."""

    def __init__(self, database: Database, settings: Settings, fence: Fence) -> None:
        """Take over a claim that was made just now."""
        self._database = database
        self._seconds = settings.lease_seconds
        self._beat_seconds = settings.heartbeat_seconds
        self.fence = fence
        self._cancel_wanted = False
        self._renewed_at = time.monotonic()

    def is_due(self, *, news: bool) -> bool:
        """Tell whether it is time to write."""
        pause = min(_PROGRESS_SECONDS, self._beat_seconds) if news else self._beat_seconds
        return time.monotonic() - self._renewed_at >= pause

    @property
    def nearly_over(self) -> bool:
        """Whether the owner must stop now, before anybody else may claim the job."""
        margin = min(10.0, self._seconds / 6)
        return time.monotonic() - self._renewed_at > self._seconds - margin

    def renew(self, update: RowUpdate) -> bool:
        """Prolong the claim and write what is new; return whether a cancel is wanted.

        Raises:
            FencedError: Somebody else owns the job.
            DBAPIError: The database cannot be reached.
        """
        with self.transaction() as session:
            leases = LeaseRepository(session)
            if update.values:
                leases.write(self.fence, **update.values)
            for event_type, data in update.events:
                leases.add_event(self.fence.job_id, event_type, data)
            if update.log is not None:
                attempts = AttemptRepository(session)
                attempts.keep_log(self.fence.job_id, self.fence.owner, update.log)
        return self._cancel_wanted

    @contextmanager
    def transaction(self, *, stage: str | None = None) -> Iterator[Session]:
        """Open a unit of work that only the owner of the job can commit, and prolong the claim.

        Args:
            stage: What the job's row says from now on that the owner does.

        Raises:
            FencedError: Another worker owns the job; nothing is written.
        """
        before = time.monotonic()
        with self._database.unit_of_work() as session:
            leases = LeaseRepository(session)
            cancel = leases.renew(self.fence, lease_seconds=self._seconds)
            if stage is not None:
                leases.enter(self.fence, stage)
            yield session
        self._renewed_at = max(self._renewed_at, before)
        self._cancel_wanted = cancel

    def prolong(self) -> None:
        """Prolong the claim.

        Raises:
            FencedError: Another worker owns the job.
        """
        with self.transaction():
            pass

    def require_wanted(self) -> None:
        """Look at what the last renewal told; for the long loops of a block that is `kept`.

        Raises:
            CancelledError: The user does not want the job any more.
        """
        if self._cancel_wanted:
            raise CancelledError

    @contextmanager
    def kept(self) -> Iterator[None]:
        """Go on renewing while the block does something long, such as moving many files."""
        done = threading.Event()

        def keep() -> None:
            try:
                self.renew(RowUpdate())
            except FencedError:
                done.set()  # the block's own writes are refused as well

        keeper = BackgroundLoop("lease-keeper", keep, seconds=self._beat_seconds).start(done)
        try:
            yield
        finally:
            done.set()
            keeper.join()
