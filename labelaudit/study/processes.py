"""The processes that run cells: started by exec, watched by one thread each, ended together."""

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TypedDict

from labelaudit.parent import PARENT_PID_VARIABLE

_LOG_TAIL_BYTES = 2_000
_STOPPED = "stopped with the study"


class Beat(TypedDict):
    """How far a cell is."""

    epochs_done: float
    epochs: int
    accuracy: float | None
    """On the test set, after the last whole epoch."""


class CellFailedError(Exception):
    """The process of one cell ended without its result."""


class CellProcesses:
    """Runs cells until it is told to stop; safe to use from several threads."""

    def __init__(self, *, threads: int) -> None:
        """Let each process compute with so many threads."""
        self._environ = _environment(threads)
        self._running: set[subprocess.Popen[bytes]] = set()
        self._lock = threading.Lock()
        self._is_stopped = False

    def run(self, spec: Path, on_beat: Callable[[Beat], None]) -> None:
        """Run the cell of a spec to its end.

        Raises:
            CellFailedError: It did not get there; the message ends with its last words.
        """
        log = spec.with_suffix(".log")
        with self._start(spec, log) as process:
            if process.stdout is None:
                raise RuntimeError("the child's output is not piped")
            for line in process.stdout:
                with suppress(ValueError):  # a line cut off by a kill
                    on_beat(json.loads(line))
        self._running.discard(process)
        if self._is_stopped:
            raise CellFailedError(_STOPPED)
        if process.returncode != 0:
            raise CellFailedError(f"{_ending(process.returncode)}{_last_words(log)}")

    def stop(self) -> None:
        """End all processes; none is started any more."""
        with self._lock:
            self._is_stopped = True
            for process in list(self._running):
                process.kill()  # a cell is written in one step: there is nothing to tidy up

    def _start(self, spec: Path, log: Path) -> "subprocess.Popen[bytes]":
        with self._lock, log.open("wb") as stderr:
            if self._is_stopped:
                raise CellFailedError(_STOPPED)
            process = subprocess.Popen(
                [sys.executable, "-P", "-m", "labelaudit.study.child", str(spec)],
                env=self._environ,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=stderr,
                start_new_session=True,  # the terminal's Ctrl-C is the study's business
            )
            self._running.add(process)
            return process


def _environment(threads: int) -> dict[str, str]:
    # Threads that wait by spinning take the cores from the other cells (docs/decisions/0007).
    # CUBLAS is deterministic only with a fixed workspace, set before CUDA starts.
    defaults = {"GOMP_SPINCOUNT": "5000", "CUBLAS_WORKSPACE_CONFIG": ":4096:8"}
    ours = {"OMP_NUM_THREADS": str(threads), PARENT_PID_VARIABLE: str(os.getpid())}
    return {**defaults, **os.environ, **ours}


def _ending(exit_code: int) -> str:
    if exit_code < 0:
        return f"killed by {signal.Signals(-exit_code).name}"
    return f"ended with exit code {exit_code}"


def _last_words(log: Path) -> str:
    text = log.read_bytes()[-_LOG_TAIL_BYTES:].decode(errors="replace").strip()
    return f": {text.splitlines()[-1]}" if text else ""
