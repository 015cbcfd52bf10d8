"""What the cells of a table have in common, and what they do not."""

from collections import Counter
from collections.abc import Callable, Hashable, Sequence
from typing import Any

from labelaudit.study.results import CellResult

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
