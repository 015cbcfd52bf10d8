"""Work that goes on beside a process's main work, and that nothing ends unseen."""

import threading
from collections.abc import Callable

import structlog

from app.core.db import DATABASE_ERRORS

_log = structlog.get_logger(__name__)


class BackgroundLoop:
    """Does one step again and again: what goes wrong is logged and counted, and it goes on."""

    def __init__(self, name: str, step: Callable[[], object], *, seconds: float) -> None:
        """Rest for so many seconds before each step."""
        self._name = name
        self._step = step
        self._seconds = seconds
        self.num_failures = 0
        """Steps that failed, since this process began."""

    def start(self, stopping: threading.Event) -> threading.Thread:
        """Run in a thread of its own, which no process waits for when it ends."""
        thread = threading.Thread(target=self.run, args=(stopping,), daemon=True, name=self._name)
        thread.start()
        return thread

    def run(self, stopping: threading.Event) -> None:
        """Run until told to stop."""
        while not stopping.wait(self._seconds):
            self.do_once()

    def do_once(self) -> None:
        """Do one step; it may fail in any way."""
        try:
            self._step()
        except Exception as error:  # noqa: BLE001 - the next step may go well, whatever this is
            self.num_failures += 1
            log_failure(self._name, error, num_failures=self.num_failures)


def log_failure(work: str, error: Exception, **about: object) -> None:
    """Tell of work that goes on all the same; with its trace, unless the database is away."""
    trace = not isinstance(error, DATABASE_ERRORS)
    name = type(error).__name__
    _log.warning("background_work_failed", work=work, error=name, exc_info=trace, **about)
