"""What a finished cell leaves: figures as JSON, losses of some epochs beside them."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypedDict, cast

import numpy as np
import numpy.typing as npt

from labelaudit.errors import InputError
from labelaudit.files import replacing

FORMAT = 1


class EpochRow(TypedDict):
    """One epoch of a cell."""

    epoch: int
    train_loss: float
    mean_tracking_loss: float
    """Mean cross-entropy of the given labels, in nats."""
    test_accuracy: float
    noise_rate: float
    """As the training's own noise model estimates it."""
    seconds: float
    """Training and tracking, without the test."""


class DetectionScore(TypedDict):
    """How well wrong labels were found."""

    roc_auc: float | None
    """None where no label, or every label, is wrong."""
    f1: float | None
    """None where no label is wrong."""
    flagged: float
    """Share of all labels."""


class DataSummary(TypedDict):
    """Which data a cell was run on."""

    name: str
    fingerprint: str
    num_train: int
    num_test: int
    num_classes: int
    image_size: list[int]


class CellFigures(TypedDict):
    """What was measured."""

    actual_noise_rate: float
    best_accuracy: float
    """Of the epoch that does best on the test set, 0 to 1."""
    last_accuracy: float
    detection: dict[str, DetectionScore]
    """By estimator; of the last epoch."""
    epochs: list[EpochRow]


class CellOrigin(TypedDict):
    """What it was measured with."""

    commit: dict[str, Any]
    versions: dict[str, str]
    hardware: dict[str, Any]


class CellResult(CellFigures, CellOrigin):
    """A finished cell, as its file holds it."""

    format: int
    name: str
    method: str
    noise_kind: str
    noise_level: float
    seed: int
    config: dict[str, Any]
    data: DataSummary
    seconds: float


class StudyFolder:
    """Where the files of a study lie."""

    def __init__(self, root: Path) -> None:
        """Use `root`; `prepare` makes what is missing."""
        self.root = root
        self.cells = root / "cells"
        self.losses = root / "losses"

    def prepare(self) -> None:
        """Make the folders."""
        for folder in (self.cells, self.losses):
            folder.mkdir(parents=True, exist_ok=True)

    def cell(self, name: str) -> Path:
        """The figures of one cell."""
        return self.cells / f"{name}.json"

    def losses_of(self, name: str) -> Path:
        """The losses of one cell's samples: for pictures, and too large to keep with the code."""
        return self.losses / f"{name}.npz"

    def read_cells(self) -> list[CellResult]:
        """Return all finished cells, in the order of their names."""
        return [read_cell(path) for path in sorted(self.cells.glob("[!.]*.json"))]

    def write_cell(self, result: CellResult, losses: Mapping[str, npt.NDArray[Any]]) -> None:
        """Write a cell; its figures come last, for they say that it is finished."""
        with replacing(self.losses_of(result["name"])) as temporary, temporary.open("wb") as file:
            np.savez_compressed(file, allow_pickle=False, **losses)
        with replacing(self.cell(result["name"])) as temporary:
            temporary.write_text(json.dumps(result, indent=1, allow_nan=False) + "\n", "utf-8")


def read_cell(path: Path) -> CellResult:
    """Read a finished cell.

    Raises:
        InputError: When the file holds something else.
    """
    try:
        content: Any = json.loads(path.read_text("utf-8"))
    except ValueError as error:
        raise _no_cell(path) from error
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise _no_cell(path)
    return cast("CellResult", content)


def _no_cell(path: Path) -> InputError:
    return InputError(
        f"{path} is no result of a study", code="invalid_cell", hint="move it elsewhere"
    )
