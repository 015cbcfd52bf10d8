"""`python -P -m benchmarks.study.child SPEC.json`: one cell, then the end of this process."""

import json
import os
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import ml
from benchmarks.study.data import StudyData
from benchmarks.study.grid import Cell
from benchmarks.study.results import EpochRow, StudyFolder
from benchmarks.study.training import run_cell
from labelaudit.supervisor import follow_parent

EXIT_DIVERGED = 3
_PROGRESS_SECONDS = 0.5


def write_spec(target: Path, cell: Cell, config: ml.TrainConfig, common: dict[str, Any]) -> None:
    """Write what `main` reads; `common` is the same for all cells of a study."""
    spec = {"cell": asdict(cell), "config": asdict(config), **common}
    target.write_text(json.dumps(spec), "utf-8")


def main() -> None:
    """Run the cell that the spec describes and write its files."""
    follow_parent(os.environ)
    spec = json.loads(Path(sys.argv[1]).read_text("utf-8"))
    data = StudyData.load(
        Path(spec["data_dir"]), name=spec["data_name"], classes=tuple(spec["classes"])
    )
    beat = _Beat(spec["config"]["epochs"])
    try:
        outcome = run_cell(
            Cell(**spec["cell"]),
            ml.TrainConfig(**spec["config"]),
            data,
            spec["fingerprint"],
            on_epoch=beat.epoch,
            on_batch=beat.batch,
        )
    except ml.Diverged as error:
        sys.stderr.write(f"{error}\n")
        sys.exit(EXIT_DIVERGED)
    StudyFolder(Path(spec["out"])).write_cell(outcome.result, outcome.losses)


class _Beat:
    """Tells how far the training is, as JSON lines on standard output."""

    def __init__(self, epochs: int) -> None:
        self._epochs = epochs
        self._accuracy: float | None = None
        self._next = 0.0

    def epoch(self, row: EpochRow) -> None:
        self._accuracy = row["test_accuracy"]
        self._tell(float(row["epoch"]))

    def batch(self, progress: ml.BatchProgress) -> None:
        if time.monotonic() >= self._next:
            self._tell(progress.epoch - 1 + progress.batch / progress.num_batches)

    def _tell(self, epochs_done: float) -> None:
        self._next = time.monotonic() + _PROGRESS_SECONDS
        beat = {"epochs_done": epochs_done, "epochs": self._epochs, "accuracy": self._accuracy}
        sys.stdout.write(json.dumps(beat) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
