"""The data of a study: images whose labels are taken as right, with a test set of their own."""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Images: TypeAlias = NDArray[np.uint8]
Labels: TypeAlias = NDArray[np.int64]

_ARRAYS = ("train_images", "train_labels", "test_images", "test_labels")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class StudyData:
    """RGB images of shape (N, H, W, 3) and true labels of shape (N,) in [0, C), by split."""

    name: str
    """For titles and tables."""
    classes: tuple[str, ...]
    train_images: Images
    train_labels: Labels
    test_images: Images
    test_labels: Labels

    @property
    def num_classes(self) -> int:
        """Number of class names, C."""
        return len(self.classes)

    def fingerprint(self) -> str:
        """Return the identity of the data: SHA-256 over classes, shapes and all bytes."""
        digest = hashlib.sha256("\0".join(self.classes).encode())
        for name in _ARRAYS:
            array = np.ascontiguousarray(getattr(self, name))
            digest.update(f"{name}{array.shape}{array.dtype.str}".encode())
            digest.update(array.data)
        return digest.hexdigest()

    def save(self, folder: Path) -> None:
        """Write the arrays where processes of this machine can map them."""
        for name in _ARRAYS:
            np.save(folder / f"{name}.npy", getattr(self, name), allow_pickle=False)

    @classmethod
    def load(cls, folder: Path, *, name: str, classes: tuple[str, ...]) -> "StudyData":
        """Map what `save` wrote."""
        arrays = {
            array: np.load(folder / f"{array}.npy", mmap_mode="r", allow_pickle=False)
            for array in _ARRAYS
        }
        return cls(name=name, classes=classes, **arrays)


def stratified_rows(
    labels: Labels, num_rows: int, generator: np.random.Generator | None = None
) -> NDArray[np.int64]:
    """Return rows, in order, that hold the classes in the shares that all rows do.

    Args:
        labels: Labels of all rows, shape (N,).
        num_rows: How many to take; all if there are no more than these.
        generator: Where the choice inside a class comes from; None takes the first ones.
    """
    if num_rows >= len(labels):
        return np.arange(len(labels))
    chosen = []
    for label, quota in _quotas(labels, num_rows).items():
        rows = np.flatnonzero(labels == label)
        chosen.append((rows if generator is None else generator.permutation(rows))[:quota])
    return np.sort(np.concatenate(chosen))


def _quotas(labels: Labels, num_rows: int) -> dict[int, int]:
    """Share out rows between the classes: rounded down, and the rest to the largest remainders."""
    values, counts = np.unique(labels, return_counts=True)
    exact = counts * (num_rows / len(labels))
    quotas = np.floor(exact).astype(np.int64)
    largest = np.argsort(quotas - exact, kind="stable")[: num_rows - int(quotas.sum())]
    quotas[largest] += 1
    return dict(zip(values.tolist(), quotas.tolist(), strict=True))
