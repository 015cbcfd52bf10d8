"""What a study shows of its finished cells: a page, a table on the terminal, pictures."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks.markdown import markdown_table
from benchmarks.study.pictures import draw_pictures
from benchmarks.study.results import CellResult, StudyFolder
from benchmarks.study.table import (
    Column,
    Detection,
    Entry,
    Spread,
    StudyTable,
    common_options,
    describe_data,
    describe_origin,
    differing_options,
    summarise,
)
from labelaudit.errors import InputError
from labelaudit.files import replacing
from labelaudit.terminal import say


def report_study(out: Path) -> None:
    """Print the table of the finished cells; write `table.md`, `table.json` and the pictures.

    Raises:
        InputError: When no cell is finished.
    """
    folder = StudyFolder(out)
    cells = folder.read_cells()
    if not cells:
        raise InputError(
            f"{out} holds no finished cell", code="no_cells", hint="run the study first"
        )
    table = summarise(cells)
    _show(table)
    written = [out / "table.md", out / "table.json"]
    _write(written[0], page(table, cells))
    _write(written[1], json.dumps(_as_json(table, cells), indent=1) + "\n")
    pictures = draw_pictures(folder, cells)
    say("wrote " + ", ".join(map(str, written)) + f" and {len(pictures)} pictures")


def _show(table: StudyTable) -> None:
    console = Console(markup=False)
    title = "test accuracy in percent, best / last, and how well wrong labels are found"
    console.print(_rich_table(title, *accuracy_rows(table, line_break="\n"), show_lines=True))
    console.print(_rich_table("published: Arazo et al. 2019, other data", *published_rows()))


def _rich_table(
    title: str, head: list[str], rows: list[list[str]], *, show_lines: bool = False
) -> Table:
    shown = Table(*head, title=title, show_lines=show_lines)
    for row in rows:
        shown.add_row(*row)
    return shown


def _as_json(table: StudyTable, cells: list[CellResult]) -> dict[str, object]:
    head, *rows = published_rows()
    return {
        "num_cells": len(cells),
        "data": describe_data(cells),
        **table.as_json(),
        "settings": common_options(cells),
        "differing_settings": differing_options(cells),
        "origin": describe_origin(cells),
        "published": {"source": SOURCE, "head": head, "rows": rows[0]},
    }


def _write(target: Path, text: str) -> None:
    with replacing(target) as temporary:
        temporary.write_text(text, "utf-8")


_BREAK = "<br>"
OURS = "findings"
"""The estimator whose figures stand below the accuracies."""


def page(table: StudyTable, cells: Sequence[CellResult]) -> str:
    """Return the whole page."""
    parts = [
        f"# Methods under label noise: {cells[0]['data']['name']}",
        _counts(table, cells),
        "## Test accuracy, and how well wrong labels are found",
        _READING,
        markdown_table(*accuracy_rows(table, line_break=_BREAK)),
        "## Wrong labels found, by estimator",
        _ESTIMATORS,
        *(_estimator_table(table, column) for column in table.columns),
        "## Published, on other data",
        f"{SOURCE}.\n{_PUBLISHED}",
        markdown_table(*published_rows()),
        "## Settings",
        _bullets(_settings(cells)),
        "## Origin",
        _bullets(_origin(cells)),
    ]
    return "\n\n".join(parts) + "\n"


_READING = """\
First line: accuracy in percent, `best / last`: of the epoch that does best on the test data, as the
published table has it, and of the last epoch, which is all that can be had without test data;
nothing was chosen by the best. Second line: ROC-AUC and F1 of the wrong labels by our findings;
without wrong labels, the percentage of right ones that is flagged. `±` is the standard deviation
over the seeds."""
_ESTIMATORS = """\
ROC-AUC / F1 at a posterior above 0.5. `bmm` and `gmm` are a Beta and a Gaussian mixture of the last
epoch's losses, as published (`faithful`) and with the defects of that recipe cured (`robust`);
`findings` is what an audit reports; `argmax` flags every label that is not the predicted class."""
_PUBLISHED = """\
Accuracy in percent, `best / last`. Data, network and length of training differ from ours: what can
be compared is how the figures fall from one noise level to the next, not their height."""
_UNKNOWN = "-"


def accuracy_rows(table: StudyTable, *, line_break: str) -> tuple[list[str], list[list[str]]]:
    """Return the head and the rows of the main table."""
    head = ["method", *(column_title(column, line_break) for column in table.columns)]
    rows = []
    for method in table.methods:
        entries = (table.entries.get((method, column.noise)) for column in table.columns)
        rows.append([method, *(_entry(entry, line_break) for entry in entries)])
    return head, rows


def published_rows() -> tuple[list[str], list[list[str]]]:
    """Return the head and the rows of the published table."""
    head = ["data", "method", *(f"{percent} %" for percent in NOISE_PERCENT)]
    rows = [
        [row.data, row.method]
        + [f"{best} / {last}" for best, last in zip(row.best, row.last, strict=True)]
        for row in PUBLISHED
    ]
    return head, rows


def column_title(column: Column, line_break: str) -> str:
    """Return the nominal level and the share that is truly wrong."""
    return f"{column.kind} {column.level:.0%}{line_break}{column.actual_rate:.1%} wrong"


def percent(spread: Spread | None) -> str:
    """Return a share as percent."""
    if spread is None:
        return _UNKNOWN
    deviation = "" if spread.std is None else f" ± {100 * spread.std:.1f}"
    return f"{100 * spread.mean:.1f}{deviation}"


def figure(spread: Spread | None) -> str:
    """Return a figure between 0 and 1."""
    if spread is None:
        return _UNKNOWN
    deviation = "" if spread.std is None else f" ± {spread.std:.3f}"
    return f"{spread.mean:.3f}{deviation}"


def _entry(entry: Entry | None, line_break: str) -> str:
    if entry is None:
        return "not run"
    accuracy = f"{percent(entry.best)} / {percent(entry.last)}"
    found = entry.detection[OURS]
    if found.roc_auc is None:
        return f"{accuracy}{line_break}{percent(found.flagged)} % flagged"
    return f"{accuracy}{line_break}AUC {figure(found.roc_auc)}, F1 {figure(found.f1)}"


def _counts(table: StudyTable, cells: Sequence[CellResult]) -> str:
    seeds = sorted({cell["seed"] for cell in cells})
    hours = sum(cell["seconds"] for cell in cells) / 3600
    expected = len(table.methods) * len(table.columns) * len(seeds)
    missing = f"; {expected - len(cells)} are missing" if len(cells) < expected else ""
    return (
        f"{len(cells)} cells: {len(table.methods)} methods x {len(table.columns)} noise levels x "
        f"{len(seeds)} seeds ({', '.join(map(str, seeds))}){missing}. "
        f"They took {hours:,.1f} hours, one after the other."
    )


def _estimator_table(table: StudyTable, column: Column) -> str:
    entries = {
        method: table.entries[method, column.noise]
        for method in table.methods
        if (method, column.noise) in table.entries
    }
    names = list(dict.fromkeys(name for entry in entries.values() for name in entry.detection))
    rows = [
        [method, *(_detection(entry.detection.get(name)) for name in names)]
        for method, entry in entries.items()
    ]
    return markdown_table([column_title(column, ", "), *names], rows)


def _detection(found: Detection | None) -> str:
    if found is None:
        return _UNKNOWN
    if found.roc_auc is None:
        return f"{percent(found.flagged)} % flagged"
    return f"{figure(found.roc_auc)} / {figure(found.f1)}"


def _settings(cells: Sequence[CellResult]) -> Iterator[str]:
    yield ", ".join(f"{name} {value}" for name, value in common_options(cells).items())
    for name, by_method in differing_options(cells).items():
        values = (f"{m} {' or '.join(map(str, found))}" for m, found in by_method.items())
        yield f"{name}: {', '.join(values)}"


def _origin(cells: Sequence[CellResult]) -> Iterator[str]:
    groups: Mapping[str, Mapping[str, int]] = {
        "data": describe_data(cells),
        **describe_origin(cells),
    }
    for name, counts in groups.items():
        if len(counts) == 1:
            yield f"{name}: {next(iter(counts))}"
        else:
            yield f"{name}: " + "; ".join(f"{text} ({n} cells)" for text, n in counts.items())


def _bullets(lines: Iterable[str]) -> str:
    return "\n".join(f"- {line}" for line in lines)


SOURCE = (
    "Arazo, Ortego, Albert, O'Connor, McGuinness: Unsupervised Label Noise Modeling and Loss "
    "Correction, ICML 2019 (arXiv 1904.11238)"
)
NOISE_PERCENT = (0, 20, 50, 80, 90)
"""Nominal: labels of so many samples were drawn anew from all classes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedRow:
    """Test accuracy in percent, at each of the noise levels."""

    data: str
    method: str
    best: tuple[float, ...]
    """Of the epoch that does best on the test data."""
    last: tuple[float, ...]


PUBLISHED = (
    PublishedRow(
        data="CIFAR-10",
        method="m-dyr-h",
        best=(93.6, 94.0, 92.0, 86.8, 40.8),
        last=(93.4, 93.8, 91.9, 86.6, 9.9),
    ),
    PublishedRow(
        data="CIFAR-10",
        method="md-dyr-sh",
        best=(93.6, 93.8, 90.6, 82.4, 69.1),
        last=(92.7, 93.6, 90.3, 77.8, 68.7),
    ),
    PublishedRow(
        data="CIFAR-100",
        method="m-dyr-h",
        best=(70.3, 68.7, 61.7, 48.2, 12.5),
        last=(66.2, 68.5, 58.8, 47.6, 8.6),
    ),
    PublishedRow(
        data="CIFAR-100",
        method="md-dyr-sh",
        best=(73.3, 73.9, 66.1, 41.6, 24.3),
        last=(71.3, 73.34, 65.4, 35.4, 20.5),
    ),
)
