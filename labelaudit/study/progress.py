"""How far a study is: bars on a terminal, one line a cell elsewhere."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn
from typing_extensions import override

from labelaudit.study.processes import Beat
from labelaudit.terminal import note


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
