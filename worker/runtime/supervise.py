"""Watches one child: keeps the lease, passes on progress, obeys cancel and shutdown.

The child computes; only this side writes the job row, and every write carries the fence.
"""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import structlog

from app.core.background import BackgroundLoop
from app.core.db import DATABASE_ERRORS
from app.jobs.lease_repository import FencedError
from worker.processes.child import EXIT_DONE
from worker.processes.errors import CancelledError, ChildFailedError, ChildLostError, DrainedError
from worker.processes.spawn import ChildProcess, Event, GrowingLog, log_for_owner, log_tail
from worker.runtime.claim import Lease, RowUpdate

_POLL_SECONDS = 0.2
_CANCEL_GRACE_SECONDS = 5.0
_DRAIN_GRACE_SECONDS = 20.0
_MAX_REASON = 500
_NOT_RENEWED = "the lease could not be renewed"
_log = structlog.get_logger(__name__)


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
