"""How far the upload and the job are: bars on a terminal, plain lines elsewhere."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeAlias

from rich.console import Console
from rich.filesize import decimal
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TaskProgressColumn,
    TextColumn,
    TransferSpeedColumn,
)

from labelaudit.schemas import Job
from labelaudit.terminal import note, printable

ShowJob: TypeAlias = Callable[[Job], None]
ShowSent: TypeAlias = Callable[[int], None]
_BAR_FROM_BYTES = 50_000_000


@contextmanager
def upload_progress(num_bytes: int) -> Iterator[ShowSent]:
    """Yield what takes the number of bytes sent; small uploads are over before a bar helps."""
    console = Console(stderr=True)
    if num_bytes < _BAR_FROM_BYTES or not console.is_terminal:
        note(f"sending {decimal(num_bytes)}")
        yield lambda _sent: None
        return
    columns = (TextColumn("sending"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Progress(*columns, console=console) as bar:
        task = bar.add_task("", total=num_bytes)
        yield lambda sent: bar.update(task, completed=sent)


@contextmanager
def job_progress() -> Iterator[ShowJob]:
    """Yield what takes each state of a job."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield _LineView().show
        return
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TaskProgressColumn(),
        TextColumn("{task.fields[detail]}", markup=False),
    )
    with Progress(*columns, console=console) as bar:
        task = bar.add_task("queued", total=1.0, detail="")

        def show(job: Job) -> None:
            bar.update(
                task,
                description=printable(job["stage"]),
                completed=job["progress"]["fraction"],
                detail=describe(job),
            )

        yield show


def describe(job: Job) -> str:
    """Return epoch, speed and time left, as far as known."""
    progress = job["progress"]
    parts = []
    if progress["epoch"] is not None and progress["epochs"] is not None:
        parts.append(f"epoch {progress['epoch']}/{progress['epochs']}")
    if progress["images_per_second"] is not None:
        parts.append(f"{progress['images_per_second']:,.0f} images/s")
    if progress["eta_seconds"] is not None:
        minutes, seconds = divmod(round(progress["eta_seconds"]), 60)
        parts.append(f"{minutes}:{seconds:02} left")
    if job["attempt"] > 1:
        parts.append(f"attempt {job['attempt']}")
    return ", ".join(parts)


class _LineView:
    """One line for each stage, and one when an epoch is over: what a log file wants."""

    def __init__(self) -> None:
        self._last: Job | None = None
        self._started = time.monotonic()

    def show(self, job: Job) -> None:
        last, self._last = self._last, job
        if last is not None and _step(last) == _step(job):
            return
        if last is not None and last["progress"]["epoch"] is not None:
            self._write(last)
        if job["progress"]["epoch"] is None:
            self._write(job)

    def _write(self, job: Job) -> None:
        seconds = time.monotonic() - self._started
        note(f"[{seconds:4.0f} s] {job['stage']} {describe(job)}".rstrip())


def _step(job: Job) -> tuple[str, int | None, int]:
    return job["stage"], job["progress"]["epoch"], job["attempt"]
