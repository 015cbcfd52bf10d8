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
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

from app.core.disk import is_disk_full
from worker.errors import NO_SPACE

EXIT_DONE = 0
EXIT_FAILED = 1
"""The child told why by a `failed` event."""
EXIT_INTERRUPTED = 75
"""Stopped on request; what was finished is in the checkpoint (EX_TEMPFAIL of sysexits.h)."""

_NICENESS = 10
"""What computes for minutes gives way to what answers people on the same machine."""
_PARENT_CHECK_SECONDS = 0.5


class StopRequest:
    """Set by SIGTERM; the work looks at it at its next safe point."""

    def __init__(self) -> None:
        """Install the signal handler."""
        self.requested = False
        signal.signal(signal.SIGTERM, self._on_signal)

    def _on_signal(self, _number: int, _frame: FrameType | None) -> None:
        self.requested = True


def read_spec() -> dict[str, Any]:
    """Return the spec named on the command line; from now on this process serves its parent.

    It ends with it, and takes a processor only where nobody else wants it.
    """
    die_with_parent()
    os.nice(_NICENESS)
    spec: dict[str, Any] = json.loads(Path(sys.argv[1]).read_text())
    return spec


def emit(event: str, **values: Any) -> None:
    """Tell the supervisor: one JSON line."""
    sys.stdout.write(json.dumps({"event": event, **values}, allow_nan=False) + "\n")
    sys.stdout.flush()


def note(text: str) -> None:
    """Write a line into this attempt's log, which the job's owner reads while it runs."""
    sys.stderr.write(f"{time.strftime('%H:%M:%S', time.gmtime())} {text}\n")
    sys.stderr.flush()


def fail(code: str, detail: str) -> NoReturn:
    """End this process with an error that the user sees."""
    emit("failed", code=code, detail=detail)
    sys.exit(EXIT_FAILED)


@contextmanager
def telling_full_disk() -> Iterator[None]:
    """End this process with an error that the user sees when the disk is full."""
    try:
        yield
    except OSError as error:
        if not is_disk_full(error):
            raise
        fail(*NO_SPACE)


def die_with_parent() -> None:
    """Leave no orphan: a supervisor that was killed can stop nobody."""
    parent = os.getppid()

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(_PARENT_CHECK_SECONDS)
        os._exit(EXIT_INTERRUPTED)

    threading.Thread(target=watch, daemon=True, name="parent-watch").start()
