"""A reader of hostile files, in a process of its own below the child."""

import signal
import subprocess
import sys
import time
from pathlib import Path

from worker.child import EXIT_INTERRUPTED, StopRequest

_POLL_SECONDS = 0.02


class Reader:
    """Runs `python -m MODULE SPEC`; what it tells goes straight to the supervisor."""

    def __init__(self, module: str, spec: Path) -> None:
        """Start it."""
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", module, str(spec)], stdin=subprocess.DEVNULL
        )

    def wait(self, stop: StopRequest) -> int:
        """Return its exit code; negative is the number of the signal that ended it.

        Raises:
            SystemExit: This child is to stop, and so the reader was.
        """
        with self._process as process:
            while process.poll() is None:
                if stop.requested:
                    process.terminate()
                time.sleep(_POLL_SECONDS)
        if stop.requested:
            sys.exit(EXIT_INTERRUPTED)
        return process.returncode


def crash_of(exit_code: int) -> str | None:
    """Return the name of the signal that a reader brought upon itself, by what it read.

    Out of memory, a reader is killed (SIGKILL), and that is nobody's word.
    """
    if exit_code < 0 and exit_code != -signal.SIGKILL:
        return signal.Signals(-exit_code).name
    return None
