"""Finished cells as one table: means over the seeds, settings and origin."""

from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import asdict, dataclass
from statistics import fmean, stdev
from typing import Any

import ml
from benchmarks.study.results import CellResult


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """Mean and sample standard deviation over the seeds."""

    mean: float
    std: float | None
    """None with a single seed."""
    num_seeds: int

    @classmethod
    def of(cls, values: Iterable[float | None]) -> "Spread | None":
        """Return the spread of what is known; None where nothing is."""
        known = [value for value in values if value is not None]
        if not known:
            return None
        std = stdev(known) if len(known) > 1 else None
        return cls(mean=fmean(known), std=std, num_seeds=len(known))


@dataclass(frozen=True, slots=True, kw_only=True)
class Detection:
    """How well one estimator found the wrong labels."""

    roc_auc: Spread | None
    f1: Spread | None
    flagged: Spread | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One method under one noise."""

    best: Spread | None
    """Test accuracy of the epoch that does best on the test data, 0 to 1."""
    last: Spread | None
    """Test accuracy of the last epoch."""
    detection: dict[str, Detection]
    """By estimator."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One noise."""

    kind: str
    level: float
    actual_rate: float
    """Share of labels that are truly wrong, mean over the cells."""

    @property
    def noise(self) -> str:
        """Kind and level, as in the names of cells."""
        return f"{self.kind}{self.level:g}"


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyTable:
    """Methods x noise; an entry is missing where no cell is finished."""

    methods: tuple[str, ...]
    columns: tuple[Column, ...]
    entries: dict[tuple[str, str], Entry]
    """By method and noise."""

    def as_json(self) -> dict[str, Any]:
        """Return the table as JSON takes it."""
        return {
            "columns": [asdict(column) for column in self.columns],
            "entries": [
                {"method": method, "noise": noise, **asdict(entry)}
                for (method, noise), entry in self.entries.items()
            ],
        }


def summarise(cells: Sequence[CellResult]) -> StudyTable:
    """Return the table of the finished cells."""
    groups: dict[tuple[str, str], list[CellResult]] = {}
    columns: dict[tuple[str, float], list[float]] = {}
    for cell in cells:
        column = columns.setdefault((cell["noise_kind"], cell["noise_level"]), [])
        column.append(cell["actual_noise_rate"])
        noise = f"{cell['noise_kind']}{cell['noise_level']:g}"
        groups.setdefault((cell["method"], noise), []).append(cell)
    return StudyTable(
        methods=tuple(sorted({method for method, _ in groups}, key=method_order)),
        columns=tuple(
            Column(kind=kind, level=level, actual_rate=fmean(rates))
            for (kind, level), rates in sorted(columns.items())
        ),
        entries={key: _entry(group) for key, group in groups.items()},
    )


def method_order(method: str) -> int:
    """Return the place of a method in tables and legends: that of the paper, unknown ones last."""
    known = list(ml.METHODS)
    return known.index(method) if method in known else len(known)


def _entry(cells: Sequence[CellResult]) -> Entry:
    return Entry(
        best=Spread.of(cell["best_accuracy"] for cell in cells),
        last=Spread.of(cell["last_accuracy"] for cell in cells),
        detection={name: _detection(cells, name) for name in cells[0]["detection"]},
    )


def _detection(cells: Sequence[CellResult], estimator: str) -> Detection:
    scores = [cell["detection"][estimator] for cell in cells if estimator in cell["detection"]]
    return Detection(
        roc_auc=Spread.of(score["roc_auc"] for score in scores),
        f1=Spread.of(score["f1"] for score in scores),
        flagged=Spread.of(score["flagged"] for score in scores),
    )


_OF_THE_CELL = frozenset({"method", "seed"})
_SHORT_ID = 10


def common_options(cells: Sequence[CellResult]) -> dict[str, Any]:
    """Return the training options that all cells share."""
    first = cells[0]["config"]
    return {
        name: value
        for name, value in first.items()
        if name not in _OF_THE_CELL
        and all(name in cell["config"] and cell["config"][name] == value for cell in cells)
    }


def differing_options(cells: Sequence[CellResult]) -> dict[str, dict[str, list[Any]]]:
    """Return the other options: for each the values by method, more than one where seeds differ."""
    shared = common_options(cells)
    names = {name for cell in cells for name in cell["config"]} - _OF_THE_CELL - set(shared)
    found: dict[str, dict[str, list[Any]]] = {}
    for name in sorted(names):
        for cell in cells:
            values = found.setdefault(name, {}).setdefault(cell["method"], [])
            value = cell["config"].get(name)
            if value not in values:
                values.append(value)
    return found


def describe_data(cells: Sequence[CellResult]) -> dict[str, int]:
    """Return how many cells were run on each data set."""
    return _counted(cells, _data)


def describe_origin(cells: Sequence[CellResult]) -> dict[str, dict[str, int]]:
    """Return how many cells come from each commit, set of versions and machine."""
    return {
        "commit": _counted(cells, _commit),
        "versions": _counted(cells, _versions),
        "hardware": _counted(cells, _hardware),
    }


def _counted(
    cells: Sequence[CellResult], describe: Callable[[CellResult], Hashable]
) -> dict[str, int]:
    return {str(text): count for text, count in Counter(map(describe, cells)).most_common()}


def _data(cell: CellResult) -> str:
    data = cell["data"]
    height, width = data["image_size"]
    return (
        f"{data['name']}: {data['num_train']:,} training and {data['num_test']:,} test images, "
        f"{data['num_classes']} classes, {height} x {width} pixels, "
        f"SHA-256 {data['fingerprint'][:_SHORT_ID]}"
    )


def _commit(cell: CellResult) -> str:
    commit = cell["commit"]
    if commit["id"] is None:
        return "no commit known"
    return f"{commit['id'][:_SHORT_ID]}{' with changes' if commit['dirty'] else ''}"


def _versions(cell: CellResult) -> str:
    return ", ".join(f"{name} {version}" for name, version in cell["versions"].items())


def _hardware(cell: CellResult) -> str:
    hardware = cell["hardware"]
    return (
        f"{hardware['machine']}, {hardware['cpu'] or 'processor unknown'}, "
        f"{hardware['cores']} cores, on {hardware['device']}, {hardware['threads']} threads a cell"
    )
