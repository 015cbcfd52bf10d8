"""Studies so small that a cell takes a second, and results written by hand."""

from pathlib import Path
from typing import Any

from benchmarks.study.data import StudyData
from benchmarks.study.grid import Grid
from benchmarks.study.results import CellResult, DetectionScore
from tests.support.tiny import CLASSES, tiny_images

OPTIONS: dict[str, Any] = {
    "epochs": 3,
    "learning_rate": 0.02,
    "width": 4,
    "batch_size": 20,
    "ema_decay": 0.5,
}


def tiny_data(num_train: int = 120, num_test: int = 30, *, seed: int = 0) -> StudyData:
    images, labels = tiny_images(num_train + num_test, seed)
    return StudyData(
        name="colours",
        classes=tuple(CLASSES),
        train_images=images[:num_train],
        train_labels=labels[:num_train],
        test_images=images[num_train:],
        test_labels=labels[num_train:],
    )


def tiny_grid(**changes: Any) -> Grid:
    options = OPTIONS | changes.pop("options", {})
    axes = {"methods": ("ce", "m-dyr-h"), "noise_levels": (0.5,), "seeds": (0,)}
    return Grid(**{**axes, **changes}, options=options)


def cell_names(out: Path) -> set[str]:
    return {path.name for path in (out / "cells").iterdir()}


def made_cell(
    method: str, level: float, seed: int, *, best: float, last: float, **changes: Any
) -> CellResult:
    """Return a cell as a run would write it, with these figures."""
    is_noisy = level > 0.0
    found: DetectionScore = {
        "roc_auc": last + 0.1 if is_noisy else None,
        "f1": last if is_noisy else None,
        "flagged": level,
    }
    result: CellResult = {
        "format": 1,
        "name": f"{method}-uniform{level:g}-seed{seed}",
        "method": method,
        "noise_kind": "uniform",
        "noise_level": level,
        "seed": seed,
        "actual_noise_rate": level * 0.9,
        "config": {"method": method, "seed": seed, "epochs": 2, "width": 4},
        "data": {
            "name": "colours", "fingerprint": "f" * 64, "num_train": 1200, "num_test": 30,
            "num_classes": 3, "image_size": [8, 8],
        },
        "commit": {"id": "c" * 40, "dirty": False},
        "versions": {"torch": "2", "python": "3"},
        "hardware": {
            "machine": "m", "cpu": "Abacus", "cores": 2, "device": "cpu", "threads": 1,
        },
        "epochs": [
            {
                "epoch": epoch, "train_loss": 1.0, "mean_tracking_loss": 1.0, "noise_rate": 0.4,
                "test_accuracy": accuracy, "seconds": 1.0,
            }
            for epoch, accuracy in ((1, best), (2, last))
        ],
        "best_accuracy": best,
        "last_accuracy": last,
        "detection": {"bmm-robust": found, "findings": found},
        "seconds": 1800.0,
    }  # fmt: skip
    return {**result, **changes}  # type: ignore[typeddict-item]  # names of keys
