"""Files of scores for the tests, and what the reader made of them."""

import json
import warnings
import zipfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from numpy.typing import NDArray
from typing_extensions import override

from worker.stages.score.arrays import InvalidScoresError, MemoryWall, ScoreLimits, Scores
from worker.stages.score.reading import read_scores

LIMITS = ScoreLimits(max_rows=1000, max_columns=100, max_cells=50_000)


@dataclass(frozen=True, slots=True)
class Planted:
    """Confident predictions, and labels of which some are planted wrong."""

    prob: NDArray[np.float64]
    label: NDArray[np.int64]
    is_wrong: NDArray[np.bool_]


def plant(num_rows: int = 240, num_classes: int = 3, *, every: int = 10) -> Planted:
    """Return predictions of the true class with 0.7 to 0.99, each `every`-th label moved on."""
    generator = np.random.default_rng(7)
    truth = np.arange(num_rows) % num_classes
    is_wrong = np.arange(num_rows) % every == every // 2
    rest = generator.dirichlet(np.ones(num_classes), num_rows)
    sure = generator.uniform(0.7, 0.99, num_rows)[:, None]
    prob = sure * np.eye(num_classes)[truth] + (1 - sure) * rest
    return Planted(prob, np.where(is_wrong, (truth + 1) % num_classes, truth), is_wrong)


def small(num_rows: int = 6, num_classes: int = 3) -> dict[str, NDArray[Any]]:
    planted = plant(num_rows, num_classes)
    return {"pred_probs": planted.prob, "given_label": planted.label}


def write_npz(file: Path, arrays: Mapping[str, Any], *, compressed: bool = False) -> Path:
    save: Any = np.savez_compressed if compressed else np.savez
    with file.open("wb") as stream:
        save(stream, **arrays)
    return file


def write_members(file: Path, members: Sequence[tuple[str, bytes]]) -> Path:
    """Write a zip of these members, whatever they are."""
    with zipfile.ZipFile(file, "w") as archive, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of a name that is there twice
        for name, content in members:
            archive.writestr(name, content)
    return file


def write_parquet(
    file: Path, columns: dict[str, Any], *, names: object = None, **options: Any
) -> Path:
    table = pa.table(columns)
    if names is not None:
        table = table.replace_schema_metadata({"class_names": json.dumps(names)})
    pq.write_table(table, file, **options)
    return file


def lists(prob: NDArray[Any], value_type: Any = None, *, fixed: bool = False) -> Any:
    """Return the rows of a matrix as an array of lists."""
    value_type = value_type or pa.float32()
    size = prob.shape[1] if fixed else -1
    return pa.array(list(prob), pa.list_(value_type, size))


class NoWall(MemoryWall):
    """Notes what room is asked for; this process goes on after the test."""

    def __init__(self) -> None:
        self.rooms: list[int] = []

    @override
    def make_room(self, num_cells: int) -> None:
        self.rooms.append(num_cells)


def read(
    file: Path,
    *,
    safe_point: Callable[[], None] = lambda: None,
    on_rows: Callable[[float], None] = lambda _share: None,
    limits: ScoreLimits = LIMITS,
) -> Scores:
    return read_scores(file, limits, NoWall(), safe_point=safe_point, on_rows=on_rows)


def refusal(file: Path, **limits: int) -> str:
    with pytest.raises(InvalidScoresError) as caught:
        read(file, limits=replace(LIMITS, **limits))
    return caught.value.detail
