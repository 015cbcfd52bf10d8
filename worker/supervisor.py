"""Watches one child: keeps the lease, passes on progress, obeys cancel and shutdown.

The child computes; only this side writes the job row, and every write carries the fence.
"""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import structlog

from app.core.background import BackgroundLoop
from app.core.db import DATABASE_ERRORS, Database
from app.core.settings import Settings
from app.jobs.lease_repository import AttemptRepository, Fence, FencedError, LeaseRepository
from worker.child import EXIT_DONE
from worker.errors import CancelledError, ChildFailedError, ChildLostError, DrainedError
from worker.process import ChildProcess, Event, GrowingLog, log_for_owner, log_tail

_POLL_SECONDS = 0.2
_CANCEL_GRACE_SECONDS = 5.0
_DRAIN_GRACE_SECONDS = 20.0
_PROGRESS_SECONDS = 1.0
"""At most one progress write in this time; without news the heartbeat is enough."""
_MAX_REASON = 500
_NOT_RENEWED = "the lease could not be renewed"
_log = structlog.get_logger(__name__)


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
        self.seconds = settings.lease_seconds
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
        margin = min(10.0, self.seconds / 6)
        return time.monotonic() - self._renewed_at > self.seconds - margin

    def renew(self, update: RowUpdate) -> bool:
        """Prolong the claim and write what is new; return whether a cancel is wanted.

        Raises:
            FencedError: Somebody else owns the job.
            DBAPIError: The database cannot be reached.
        """
        before = time.monotonic()
        with self._database.unit_of_work() as session:
            leases = LeaseRepository(session)
            cancel = leases.renew(self.fence, lease_seconds=self.seconds)
            if update.values:
                leases.write(self.fence, **update.values)
            for event_type, data in update.events:
                leases.add_event(self.fence.job_id, event_type, data)
            if update.log is not None:
                attempts = AttemptRepository(session)
                attempts.keep_log(self.fence.job_id, self.fence.owner, update.log)
        self._renewed_at = before
        self._cancel_wanted = cancel
        return cancel

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


class Supervisor:
    """Runs one child to its end."""

    def __init__(
        self,
        lease: Lease,
        draining: threading.Event,
        translate: Callable[[Event], RowUpdate],
    ) -> None:
        """Use `translate` to turn the child's events into row updates."""
        self._lease = lease
        self._draining = draining
        self._translate = translate
        self._pending = RowUpdate()
        self._failure: ChildFailedError | None = None
        self._log: GrowingLog | None = None

    def watch(self, child: ChildProcess) -> None:
        """Return when the child has done its work; it never outlives this call.

        Raises:
            ChildFailedError: The child said why it cannot go on.
            ChildLostError: The child ended without a word.
            CancelledError: The user asked for it.
            DrainedError: This worker is shutting down.
            FencedError: Somebody else owns the job.
        """
        self._log = GrowingLog(child.log_file)
        with _guarded(child, self._lease):
            try:
                self._follow(child)
                exit_code = child.wait()
            finally:
                child.kill()
        if self._pending:
            self._beat()
        if self._failure is not None:
            raise self._failure
        if exit_code != EXIT_DONE:
            if self._lease.nearly_over:
                raise ChildLostError(_NOT_RENEWED)
            _log.warning("child_lost", exit_code=exit_code, log=log_tail(child.log_file))
            raise ChildLostError(_why_lost(child, exit_code), exit_code=exit_code)

    def _follow(self, child: ChildProcess) -> None:
        """Pass on events and keep the lease until the child closes its output."""
        while True:
            try:
                event = child.next_event(_POLL_SECONDS)
            except EOFError:
                return
            if event is not None:
                self._take(event)
            if self._draining.is_set():
                self._stop(child, _DRAIN_GRACE_SECONDS)
                raise DrainedError
            if self._lease.is_due(news=bool(self._pending)) and self._beat():
                self._stop(child, _CANCEL_GRACE_SECONDS)
                raise CancelledError
            if self._lease.nearly_over:
                raise ChildLostError(_NOT_RENEWED)

    def _take(self, event: Event) -> None:
        if event["event"] == "failed":
            self._failure = ChildFailedError(event["code"], event["detail"])
        else:
            self._pending.add(self._translate(event))

    def _beat(self) -> bool:
        """Renew the lease; return whether a cancel is wanted. The database may be away."""
        if self._log is not None:
            self._pending.log = self._log.news() or self._pending.log
        try:
            cancel = self._lease.renew(self._pending)
        except DATABASE_ERRORS as error:
            _log.warning("lease_not_renewed", error=type(error).__name__)
            return False
        except FencedError:
            _log.warning("fenced")
            raise
        self._pending = RowUpdate()
        return cancel

    def _stop(self, child: ChildProcess, grace_seconds: float) -> None:
        """Let the child reach its next safe point, and keep what it says on the way."""
        child.terminate()
        deadline = time.monotonic() + grace_seconds
        while time.monotonic() < deadline:
            try:
                event = child.next_event(_POLL_SECONDS)
            except EOFError:
                break
            if event is not None:
                self._take(event)
        child.kill()
        if self._pending:
            self._beat()


def _why_lost(child: ChildProcess, exit_code: int) -> str:
    last_line = log_for_owner(child.log_file).rstrip().rpartition("\n")[2]
    return f"exit code {exit_code}: {last_line[-_MAX_REASON:]}"


@contextmanager
def _guarded(child: ChildProcess, lease: Lease) -> Iterator[None]:
    """Kill the child before the lease is over, even while a write to the database hangs."""
    done = threading.Event()

    def watch() -> None:
        if lease.nearly_over:
            _log.warning("stopped_before_lease_end")
            child.kill()
            done.set()

    guard = BackgroundLoop("lease-guard", watch, seconds=_POLL_SECONDS).start(done)
    try:
        yield
    finally:
        done.set()
        guard.join()
