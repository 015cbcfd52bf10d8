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
    """Print the top suspects, the noise rate and what to know about the data."""
    if outcome.suspects:
        Console(markup=False).print(_suspect_table(outcome.suspects[:_NUM_ROWS]))
    say(_headline(outcome.report))
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
    """Return what was decided, how sure that is and how much it probably missed."""
    num_judged = report["num_samples"] - report["num_not_judged"]
    if num_judged == 0:
        largest = max(each["num_samples"] for each in report["per_class"])
        return (
            f"No label could be judged: each class has too few samples, at most {largest:,}. "
            "Add samples to the classes, then audit again."
        )
    low, high = report["noise_rate_interval"]
    precision, recall = report["expected_precision"], report["expected_recall"]
    quality = ""
    if precision is not None and recall is not None:
        quality = (
            f"; probably {precision:.0%} of them are wrong, and {recall:.0%} of all wrong labels "
            "are among them"
        )
    labels = "judged labels" if report["num_not_judged"] else "labels"
    return (
        f"{report['num_flagged']:,} of {num_judged:,} {labels} flagged{quality}; "
        f"estimated noise rate {report['noise_rate']:.1%} (95 % interval {low:.1%} to {high:.1%})"
    )


def _show_rejected(outcome: Outcome) -> None:
    num_rejected = outcome.dataset["num_rejected"]
    if not num_rejected:
        return
    note(f"{num_rejected:,} files were not taken:")
    for file in islice(outcome.rejected, _NUM_NAMED):
        note(f"  {file['path']}: {file['detail']} ({file['code']})")
    if num_rejected > _NUM_NAMED:
        note(f"  and {num_rejected - _NUM_NAMED:,} more")
