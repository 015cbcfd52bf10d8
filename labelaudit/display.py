"""What the terminal shows of a job: its progress, and its findings at the end."""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
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
from rich.table import Table

from labelaudit.results import labels_of
from labelaudit.schemas import Dataset, Finding, Job, RejectedFile, Report
from labelaudit.terminal import note, printable, say

ShowJob: TypeAlias = Callable[[Job], None]
ShowSent: TypeAlias = Callable[[int], None]
_BAR_FROM_BYTES = 50_000_000
_NUM_ROWS = 15
_NUM_NAMED = 5
_UNINFORMATIVE = "uninformative_predictions"
_UNKNOWN = [0.0, 1.0]


@contextmanager
def upload_progress(num_bytes: int) -> Iterator[ShowSent]:
    """Yield a function that shows the number of bytes sent; small uploads get no bar."""
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
    """Yield a function that shows each state of a job."""
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
    """For log files: one line per stage, and one per epoch."""

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


@dataclass(frozen=True, slots=True)
class Outcome:
    """The end of an audit."""

    report: Report
    suspects: Sequence[Finding]
    """The first flagged findings, worst first; without any the most suspicious ones."""
    dataset: Dataset
    rejected: Iterable[RejectedFile]
    files: Sequence[Path]


def show_outcome(outcome: Outcome) -> None:
    """Print the top suspects, how many labels are wrong and what to know about the data."""
    if outcome.suspects:
        Console(markup=False).print(_suspect_table(outcome.suspects[:_NUM_ROWS]))
    say(_headline(outcome.report) + _conflicts(outcome.report))
    for warning in [*outcome.dataset["warnings"], *outcome.report["warnings"]]:
        note(f"warning: {warning}")
    _show_rejected(outcome)
    say("wrote " + ", ".join(str(path) for path in outcome.files))


def _suspect_table(suspects: Sequence[Finding]) -> Table:
    title = "top suspects" if suspects[0]["flagged"] else "most suspicious, none flagged"
    table = Table(title=title)
    table.add_column("rank", justify="right")
    table.add_column("path", overflow="fold")
    table.add_column("given → suggested", overflow="fold")
    table.add_column("p", justify="right")
    for finding in suspects:
        probability = finding["p_mislabeled"]
        table.add_row(
            str(finding["rank"]),
            printable(finding["path"]),
            printable(" → ".join(labels_of(finding))),
            "" if probability is None else f"{probability:.3f}",
        )
    return table


def _headline(report: Report) -> str:
    """Return how many labels are wrong, how many are worth a look and what looking brings."""
    num_judged = report["num_samples"] - report["num_not_judged"]
    if num_judged == 0:
        largest = max(each["num_samples"] for each in report["per_class"])
        return (
            f"No label could be judged: each class has too few samples, at most {largest:,}. "
            "Add samples to the classes, then audit again."
        )
    if _UNINFORMATIVE in report.get("fallbacks", ()):
        return (
            "The network learned too little to judge the labels: any share of them may be wrong. "
            "That it flags none does not make them right."
        )
    return _judged(report, num_judged)


def _conflicts(report: Report) -> str:
    """Return how many labels contradict another one of the same picture."""
    count = report.get("verdicts", {}).get("conflict", 0)
    if not count:
        return ""
    what = "is a certain conflict" if count == 1 else "are certain conflicts"
    return (
        f" {count:,} {'image' if count == 1 else 'images'} {what}: the same picture has several "
        "labels, of which at most one is right."
    )


def _judged(report: Report, num_judged: int) -> str:
    labels = "judged labels" if report["num_not_judged"] else "labels"
    num_flagged, num_sure = report["num_flagged"], report.get("num_sure")
    range_words = _between(report["noise_rate_interval"]).capitalize()
    quality = _quality(report) if num_flagged else ""
    said = (
        f"{range_words} of the {labels} are wrong; the best single guess is "
        f"{report['noise_rate']:.1%}. {num_flagged:,} of {num_judged:,} {labels} "
        f"{_are(num_flagged)} worth a look{quality}."
    )
    return f"{said} {num_sure:,} {_are(num_sure)} surely wrong." if num_sure else said


def _quality(report: Report) -> str:
    """Return what looking at the flagged labels brings, where that is known at all."""
    said = {}
    for name in ("expected_precision", "expected_recall"):
        share, interval = report[name], report.get(f"{name}_interval")
        if share is not None and interval != _UNKNOWN:
            said[name] = f"about {share:.0%}" if interval is None else _between(interval)
    wrong, held = said.get("expected_precision"), said.get("expected_recall")
    whom = "those that the network flags" if _conflicts(report) else "them"
    return (f": {wrong} of {whom} are wrong" if wrong else "") + (
        f", and they hold {held} of all wrong labels" if held else ""
    )


def _between(interval: Sequence[float]) -> str:
    """Return where a share lies: between 1.2% and 18.0%, at most 18.0%, at least 5.1%."""
    low, high = interval
    if f"{low:.1%}" == f"{high:.1%}":
        return f"about {low:.1%}"
    if low <= 0 and high < 1:
        return f"at most {high:.1%}"
    if high >= 1 and low > 0:
        return f"at least {low:.1%}"
    return f"between {low:.1%} and {high:.1%}"


def _are(count: int) -> str:
    return "is" if count == 1 else "are"


def _show_rejected(outcome: Outcome) -> None:
    num_rejected = outcome.dataset["num_rejected"]
    if not num_rejected:
        return
    note(f"{num_rejected:,} files were not taken:")
    for file in islice(outcome.rejected, _NUM_NAMED):
        note(f"  {file['path']}: {file['detail']} ({file['code']})")
    if num_rejected > _NUM_NAMED:
        note(f"  and {num_rejected - _NUM_NAMED:,} more")
