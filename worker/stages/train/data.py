"""The trainer's view of a data set: decoded images as memory maps, labels as arrays."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

import ml
from app.core.durable import publish_file
from worker.stages.train.resumable_array import Make, make_in_shards

Images = npt.NDArray[np.uint8]
Labels = npt.NDArray[np.int64]
Rows = npt.NDArray[np.intp]
Array = npt.NDArray[Any]

_CHUNK = 4096


@dataclass(frozen=True, slots=True, eq=False)
class TrainingData:
    """Images of shape (N, S, S, 3) and labels of shape (N,), of all splits."""

    images: Images
    labels: Labels
    is_train: npt.NDArray[np.bool_]
    is_copy: npt.NDArray[np.bool_]
    """Which samples show the same picture as an earlier one."""
    picture: Labels
    """A number that is the same for the very same picture."""
    given_labels: Labels
    """As they came; `labels` are those in force, where reviewers decided otherwise."""
    is_verified: npt.NDArray[np.bool_]
    """Labels that a reviewer kept or set."""
    is_excluded: npt.NDArray[np.bool_]
    """Samples that are neither trained nor tested on."""
    classes: list[str]
    cache: Path
    """Folder for what can be made from the images again."""
    scratch: Path
    """Folder of this attempt."""

    @classmethod
    def load(cls, spec: dict[str, Any]) -> "TrainingData":
        """Map what the spec names; nothing is read yet but the labels."""
        folder, size = Path(spec["out_dir"]), spec["image_size"]
        labels: Labels = np.load(folder / "labels.npy", allow_pickle=False)
        images = np.memmap(
            spec["images"], dtype=np.uint8, mode="r", shape=(len(labels), size, size, 3)
        )
        return cls(
            images=images,
            labels=labels,
            is_train=np.load(folder / "is_train.npy", allow_pickle=False),
            is_copy=np.load(folder / "is_copy.npy", allow_pickle=False),
            picture=np.load(folder / "picture.npy", allow_pickle=False),
            given_labels=np.load(folder / "given_labels.npy", allow_pickle=False),
            is_verified=np.load(folder / "is_verified.npy", allow_pickle=False),
            is_excluded=np.load(folder / "is_excluded.npy", allow_pickle=False),
            classes=spec["classes"],
            cache=Path(spec["images"]).parent,
            scratch=folder,
        )

    @property
    def num_classes(self) -> int:
        """Number of class names, C."""
        return len(self.classes)

    @property
    def image_size(self) -> tuple[int, int]:
        """Height and width in pixels."""
        _, height, width, _ = self.images.shape
        return height, width

    @property
    def trained_on(self) -> Rows:
        """Positions of the samples to train on."""
        return np.flatnonzero(self.is_train & ~self.is_excluded)

    @property
    def tested_on(self) -> Rows:
        """Positions of the samples to test on."""
        return np.flatnonzero(~self.is_train & ~self.is_excluded)

    @property
    def train_labels(self) -> Labels:
        """Labels in force of the samples to train on."""
        return self.labels[self.trained_on]

    @property
    def test_labels(self) -> Labels:
        """Labels in force of the samples to test on."""
        return self.labels[self.tested_on]

    @property
    def verified(self) -> npt.NDArray[np.bool_]:
        """Which of the labels to train on a reviewer kept or set."""
        return self.is_verified[self.trained_on]

    @property
    def pictures(self) -> ml.Pictures:
        """What shows the same; an excluded sample speaks against no label."""
        alone = len(self.labels) + np.arange(len(self.labels))
        return ml.Pictures(
            number=np.where(self.is_excluded, alone, self.picture),
            label=self.labels,
            judged=self.trained_on,
        )

    def train_rows(self, array: Array) -> Array:
        """Return the rows of an array over all samples that are trained on."""
        return _rows(array, self.trained_on, self.scratch / "train-rows")

    def test_rows(self, array: Array) -> Array:
        """Return the rows of an array over all samples that are tested on."""
        return _rows(array, self.tested_on, self.scratch / "test-rows")

    def cached(
        self,
        name: str,
        *,
        shape: tuple[int, ...],
        dtype: npt.DTypeLike,
        make: Callable[[Array], None],
    ) -> Array:
        """Return an array over all samples from the cache; `make` fills it where it is missing.

        It has its name only once it is whole, so an interrupted run leaves nothing half done.
        """
        file = self.cache / name
        if not file.exists():
            temporary = file.with_name(f".{name}.{os.getpid()}.tmp")
            array = np.memmap(temporary, dtype=dtype, mode="w+", shape=shape)
            try:
                make(array)
                array.flush()
                publish_file(temporary, file)
            finally:
                temporary.unlink(missing_ok=True)
        return np.memmap(file, dtype=dtype, mode="r", shape=shape)

    def cached_in_shards(
        self, name: str, *, shape: tuple[int, ...], dtype: npt.DTypeLike, make: Make
    ) -> Array:
        """Return an array over all samples from the cache, as `cached`, but for long work.

        What an interrupted run left in whole shards is taken over; `make` goes on after it.
        """
        file = self.cache / name
        if not file.exists():
            make_in_shards(file, shape=shape, dtype=dtype, make=make)
        return np.memmap(file, dtype=dtype, mode="r", shape=shape)


def _rows(array: Array, rows: Rows, copy: Path) -> Array:
    """Return these rows as a map: a view where they lie together, as splits nearly always do."""
    if len(rows) == 0 or rows[-1] - rows[0] + 1 == len(rows):
        start = int(rows[0]) if len(rows) else 0
        return array[start : start + len(rows)]
    selected = np.memmap(copy, dtype=array.dtype, mode="w+", shape=(len(rows), *array.shape[1:]))
    for start in range(0, len(rows), _CHUNK):
        selected[start : start + _CHUNK] = array[rows[start : start + _CHUNK]]
    return selected
