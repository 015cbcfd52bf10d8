"""The child's side of a supervised process.

A child computes and owns no row: it reads one spec file, writes into its own attempt folder
and tells its supervisor what happens as JSON lines on standard output. It knows no database
and gets no secrets in its environment.
"""

import json
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

from app.core.disk import is_disk_full
from worker.processes.errors import NO_SPACE, ChildFailedError, InterruptedWorkError

EXIT_DONE = 0
EXIT_FAILED = 1
"""The child told why by a `failed` event."""
EXIT_INTERRUPTED = 75
"""Stopped on request; what was finished is in the checkpoint (EX_TEMPFAIL of sysexits.h)."""

_NICENESS = 10
"""What computes for minutes gives way to what answers people on the same machine."""
_PARENT_CHECK_SECONDS = 0.5
_PROGRESS_SECONDS = 0.5


class StopRequest:
    """Whether the supervisor asked this process to stop; the work looks at each safe point."""

    def __init__(self) -> None:
        """Stop at nothing yet."""
        self.requested = False

    def check(self) -> None:
        """Go on, unless the supervisor asked this process to stop.

        Raises:
            InterruptedWorkError: It did.
        """
        if self.requested:
            raise InterruptedWorkError


Main = Callable[[dict[str, Any], StopRequest], None]
"""The work of a child, by its spec."""


def run(main: Main) -> None:
    """Be a child: do the work that the spec on the command line describes, and end as it ends.

    Nothing else turns an error into an event or an exit code. The process ends with its parent,
    and takes a processor only where no other process wants it.
    """
    die_with_parent()
    os.nice(_NICENESS)
    stop = StopRequest()

    def on_signal(_number: int, _frame: FrameType | None) -> None:
        stop.requested = True

    signal.signal(signal.SIGTERM, on_signal)
    try:
        main(json.loads(Path(sys.argv[1]).read_text()), stop)
    except InterruptedWorkError:
        sys.exit(EXIT_INTERRUPTED)
    except ChildFailedError as error:
        _fail(error.code, error.detail)
    except MemoryError as error:
        _fail("oom", f"not enough memory: {error}")
    except OSError as error:
        if not is_disk_full(error):
            raise
        _fail(*NO_SPACE)


def emit(event: str, **values: Any) -> None:
    """Tell the supervisor: one JSON line."""
    sys.stdout.write(json.dumps({"event": event, **values}, allow_nan=False) + "\n")
    sys.stdout.flush()


def note(text: str) -> None:
    """Write a line into this attempt's log, which the job's owner reads while it runs."""
    sys.stderr.write(f"{time.strftime('%H:%M:%S', time.gmtime())} {text}\n")
    sys.stderr.flush()


class Progress:
    """Reports how far the work is, at a pace that a database can follow; stops it on request."""

    def __init__(self, stop: StopRequest) -> None:
        """Report with the first call."""
        self._stop = stop
        self._next_at = 0.0

    def tell(self, *, at_once: bool = False, **values: float | None) -> None:
        """Report, unless the last report is younger than half a second.

        Raises:
            InterruptedWorkError: The supervisor asked this process to stop.
        """
        self._stop.check()
        now = time.monotonic()
        if at_once or now >= self._next_at:
            self._next_at = now + _PROGRESS_SECONDS
            emit("progress", **values)


def _fail(code: str, detail: str) -> NoReturn:
    """End this process with an error that the user sees."""
    emit("failed", code=code, detail=detail)
    sys.exit(EXIT_FAILED)


def die_with_parent() -> None:
    """Leave no orphan: a supervisor that was killed can stop nobody."""
    parent = os.getppid()

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(_PARENT_CHECK_SECONDS)
        os._exit(EXIT_INTERRUPTED)

    threading.Thread(target=watch, daemon=True, name="parent-watch").start()
