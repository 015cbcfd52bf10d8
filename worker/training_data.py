"""The trainer's view of a data set: decoded images as memory maps, labels as arrays."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

Images = npt.NDArray[np.uint8]
Labels = npt.NDArray[np.int64]
Rows = npt.NDArray[np.intp]


@dataclass(frozen=True, slots=True, eq=False)
class TrainingData:
    """Images of shape (N, S, S, 3) and given labels of shape (N,), by split."""

    train_images: Images
    train_labels: Labels
    test_images: Images
    test_labels: Labels
    classes: list[str]

    @property
    def num_classes(self) -> int:
        """Number of class names, C."""
        return len(self.classes)

    @property
    def image_size(self) -> tuple[int, int]:
        """Height and width in pixels."""
        _, height, width, _ = self.train_images.shape
        return height, width

    @classmethod
    def load(cls, spec: dict[str, Any]) -> "TrainingData":
        """Map what the spec names; nothing is read yet but the labels."""
        folder, size = Path(spec["out_dir"]), spec["image_size"]
        labels: Labels = np.load(folder / "labels.npy", allow_pickle=False)
        is_train = np.load(folder / "is_train.npy", allow_pickle=False)
        images = np.memmap(
            spec["images"], dtype=np.uint8, mode="r", shape=(len(labels), size, size, 3)
        )
        train_rows, test_rows = np.flatnonzero(is_train), np.flatnonzero(~is_train)
        return cls(
            train_images=_rows(images, train_rows, folder / "train-images.u8"),
            train_labels=labels[train_rows],
            test_images=_rows(images, test_rows, folder / "test-images.u8"),
            test_labels=labels[test_rows],
            classes=spec["classes"],
        )


def _rows(images: Images, rows: Rows, copy: Path) -> Images:
    """Return these rows as a map: a view where they lie together, as splits nearly always do."""
    if len(rows) == 0 or rows[-1] - rows[0] + 1 == len(rows):
        start = int(rows[0]) if len(rows) else 0
        return images[start : start + len(rows)]
    selected = np.memmap(copy, dtype=np.uint8, mode="w+", shape=(len(rows), *images.shape[1:]))
    for start in range(0, len(rows), 4096):
        selected[start : start + 4096] = images[rows[start : start + 4096]]
    return selected
