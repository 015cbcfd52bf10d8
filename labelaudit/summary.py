"""What the terminal shows at the end of an audit."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from rich.console import Console
from rich.table import Table

from labelaudit.findings_file import labels_of
from labelaudit.schemas import Dataset, Finding, RejectedFile, Report
from labelaudit.terminal import note, printable, say

_NUM_ROWS = 15
_NUM_NAMED = 5
_UNINFORMATIVE = "uninformative_predictions"
_UNKNOWN = [0.0, 1.0]


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
