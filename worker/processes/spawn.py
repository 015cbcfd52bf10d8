"""One child process of an attempt, started by exec, ended by its exact pid."""

import json
import os
import queue
import re
import subprocess
import sys
import threading
from pathlib import Path
from typing import IO, Any

import structlog

Event = dict[str, Any]

_PASSED_ON = (
    "CUBLAS", "CUDA", "GOMP", "HOME", "LANG", "LC_", "LD_LIBRARY_PATH", "MALLOC_", "MKL", "NVIDIA",
    "OMP", "OPENBLAS", "PATH", "PYTHON", "PYTORCH", "TMPDIR", "TORCH",
)  # fmt: skip
"""Prefixes of the environment that a child gets: none of them holds a secret of ours."""
_DEFAULTS = {
    # Threads that spin for long take the cores from whoever they wait for; that sleep at once wake
    # too late (docs/decisions/0007).
    "GOMP_SPINCOUNT": "5000",
    # Memory of one step is used again by the next: given back, every page of it would fault anew
    # (docs/decisions/0017). The C library's own names and largest values.
    "MALLOC_MMAP_THRESHOLD_": str(32 * 2**20),
    "MALLOC_TRIM_THRESHOLD_": str(2**30),
    # CUBLAS is deterministic only with a fixed workspace, set before CUDA starts.
    "CUBLAS_WORKSPACE_CONFIG": ":4096:8",
}
CHILD_LOG = "child.log"
"""Beside the spec: what the child wrote to standard error."""
_LOG_TAIL_BYTES = 16_000
_OF_TRACEBACKS = (" ", "\t", "Traceback (", "During handling of", "The above exception was")
"""How the lines of a traceback begin; that with the error itself begins otherwise."""
_PATH = re.compile(r"(?<=['\"])/[^'\"\n]+|(?<![\w.:/…])/[^\s'\":,;)]+")
"""Absolute path, with spaces where it stands in quotes."""
_log = structlog.get_logger(__name__)


class ChildProcess:
    """Runs `python -m MODULE SPEC`; its JSON lines arrive as events."""

    def __init__(self, module: str, spec: Path, *, device: str | None = None) -> None:
        """Start the child; its standard error goes to a log beside the spec.

        `device` is the one GPU that it sees, "" for none; None leaves the choice to the machine.
        """
        self.log_file = spec.with_name(CHILD_LOG)
        with self.log_file.open("ab") as stderr:
            self._process = subprocess.Popen(
                # -P: the folder that we happen to run in may hold other modules of our names.
                [sys.executable, "-P", "-m", module, str(spec)],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=stderr,
                env=child_environment(device),
                start_new_session=True,  # the terminal's Ctrl-C is the supervisor's business
            )
        self._events: queue.SimpleQueue[Event | None] = queue.SimpleQueue()
        if self._process.stdout is None:
            raise RuntimeError("the child's output is not piped")
        threading.Thread(target=self._read, args=(self._process.stdout,), daemon=True).start()

    @property
    def pid(self) -> int:
        """Process id, for the log."""
        return self._process.pid

    def next_event(self, timeout: float) -> Event | None:
        """Return the next event, or None if there is none within `timeout` seconds.

        Raises:
            EOFError: The child has ended and all of its events were returned.
        """
        try:
            event = self._events.get(timeout=max(timeout, 0.001))
        except queue.Empty:
            return None
        if event is None:
            raise EOFError
        return event

    def wait(self) -> int:
        """Return the exit code; negative is the number of the signal that ended the child."""
        return self._process.wait()

    def terminate(self) -> None:
        """Ask the child to stop at its next safe point."""
        if self._process.poll() is None:
            self._process.terminate()

    def kill(self) -> None:
        """End the child at once, and collect it."""
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()

    def _read(self, pipe: IO[bytes]) -> None:
        try:
            with pipe:
                for line in pipe:
                    self._pass_on(line)
        finally:
            self._events.put(None)  # whatever ends this, nobody waits for a child that is gone

    def _pass_on(self, line: bytes) -> None:
        try:
            self._events.put(json.loads(line))
        except (ValueError, RecursionError):
            _log.warning("child_wrote_no_json", line=line[:200])


class GrowingLog:
    """A child's log while the child still writes to it."""

    def __init__(self, file: Path) -> None:
        """Follow a file that need not be there yet."""
        self._file = file
        self._seen_bytes = 0

    def news(self) -> str | None:
        """Return what the owner may read if the log has grown since the last call, else None."""
        try:
            num_bytes = self._file.stat().st_size
        except OSError:
            return None
        if num_bytes == self._seen_bytes:
            return None
        self._seen_bytes = num_bytes
        return log_for_owner(self._file)


def log_tail(file: Path) -> str:
    """Return the end of a child's log; empty where there is none. It is for this service's own log.

    What the owner of the job may read is `log_for_owner`.
    """
    try:
        with file.open("rb") as log:
            start = max(0, file.stat().st_size - _LOG_TAIL_BYTES)
            log.seek(start)
            tail = log.read().decode(errors="replace")
    except OSError:
        return ""
    _first, newline, others = tail.partition("\n")
    return others if start and newline else tail  # the first line is cut where there are more


def log_for_owner(file: Path) -> str:
    """Return the end of a child's log without tracebacks and without paths of this machine."""
    lines = log_tail(file).splitlines(keepends=True)
    return "".join(
        _PATH.sub(_last_part, line) for line in lines if not line.startswith(_OF_TRACEBACKS)
    )


def _last_part(path: re.Match[str]) -> str:
    return f"…/{path[0].rstrip('/').rpartition('/')[2]}"


def child_environment(device: str | None) -> dict[str, str]:
    """Return the environment of a child; `device` as `ChildProcess` takes it."""
    passed = {key: value for key, value in os.environ.items() if key.startswith(_PASSED_ON)}
    chosen = {} if device is None else {"CUDA_VISIBLE_DEVICES": device}
    return _DEFAULTS | passed | chosen
