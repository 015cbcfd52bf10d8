"""A process of its own that reads hostile files for a child, which loads libraries meanwhile."""

import signal
import subprocess
import sys
import time
from pathlib import Path

from worker.processes.child import StopRequest

_POLL_SECONDS = 0.02


class SandboxedReader:
    """Runs `python -m MODULE SPEC`; its events go straight to the supervisor."""

    def __init__(self, module: str, spec: Path) -> None:
        """Start the process."""
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", module, str(spec)], stdin=subprocess.DEVNULL
        )

    def wait(self, stop: StopRequest) -> int:
        """Return the exit code; negative is the number of the signal that ended the process.

        Raises:
            InterruptedWorkError: This child was asked to stop, and has stopped the reader.
        """
        with self._process as process:
            while process.poll() is None:
                if stop.requested:
                    process.terminate()
                time.sleep(_POLL_SECONDS)
        stop.check()
        return process.returncode


def signal_of_crash(exit_code: int) -> str | None:
    """Return the name of the signal by which a reader crashed on what it read.

    SIGKILL is no crash: the system sends it when memory runs out, whatever the file holds.
    """
    if exit_code < 0 and exit_code != -signal.SIGKILL:
        return signal.Signals(-exit_code).name
    return None
