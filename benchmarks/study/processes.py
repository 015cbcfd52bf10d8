"""The processes that run cells, and how far they are."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Protocol, TypedDict

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn
from typing_extensions import override

from labelaudit.supervisor import PARENT_PID_VARIABLE
from labelaudit.terminal import note

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
                [sys.executable, "-P", "-m", "benchmarks.study.child", str(spec)],
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


class StudyProgress(Protocol):
    """Hears of every cell; may be called from several threads."""

    def begin(self, name: str) -> None:
        """Take note that a cell was started."""

    def beat(self, name: str, beat: Beat) -> None:
        """Take note of how far a cell is."""

    def end(self, name: str, failure: str | None) -> None:
        """Take note that a cell is finished, or why it failed."""


@contextmanager
def study_progress(num_cells: int, *, num_finished: int) -> Iterator[StudyProgress]:
    """Yield what shows the progress."""
    note(f"{num_cells} cells, {num_finished} of them finished before")
    console = Console(stderr=True)
    if not console.is_terminal:
        yield _Lines(num_cells, num_finished)
        return
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TextColumn("{task.fields[detail]}", markup=False),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console) as bars:
        yield _Bars(bars, num_cells, num_finished)


class _Lines:
    """One line when a cell is over: what a log file wants."""

    def __init__(self, num_cells: int, num_finished: int) -> None:
        self._num_cells = num_cells
        self._num_over = num_finished
        self._lock = threading.Lock()
        self._started: dict[str, float] = {}
        self._last: dict[str, Beat] = {}

    def begin(self, name: str) -> None:
        self._started[name] = time.monotonic()

    def beat(self, name: str, beat: Beat) -> None:
        self._last[name] = beat

    def end(self, name: str, failure: str | None) -> None:
        seconds = time.monotonic() - self._started[name]
        with self._lock:
            self._num_over += 1
            place = f"[{self._num_over}/{self._num_cells}]"
        outcome = _describe(self._last.get(name)) if failure is None else failure
        note(f"{place} {name}: {outcome}, {seconds:,.0f} s")


class _Bars(_Lines):
    """A bar for the study, one for each running cell, and the lines above them."""

    def __init__(self, bars: Progress, num_cells: int, num_finished: int) -> None:
        super().__init__(num_cells, num_finished)
        self._bars = bars
        self._all = bars.add_task("cells", total=num_cells, completed=num_finished, detail="")
        self._tasks: dict[str, TaskID] = {}

    @override
    def begin(self, name: str) -> None:
        super().begin(name)
        self._tasks[name] = self._bars.add_task(name, total=None, detail="")

    @override
    def beat(self, name: str, beat: Beat) -> None:
        super().beat(name, beat)
        self._bars.update(
            self._tasks[name],
            total=beat["epochs"],
            completed=beat["epochs_done"],
            detail=_describe(beat),
        )

    @override
    def end(self, name: str, failure: str | None) -> None:
        super().end(name, failure)
        self._bars.remove_task(self._tasks[name])
        self._bars.advance(self._all)


def _describe(beat: Beat | None) -> str:
    if beat is None:
        return "nothing heard"
    accuracy = "" if beat["accuracy"] is None else f", test accuracy {beat['accuracy']:.1%}"
    return f"epoch {int(beat['epochs_done'])}/{beat['epochs']}{accuracy}"
