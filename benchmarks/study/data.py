"""The data of a study: images with right labels, a test set of their own, and noise."""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from labelaudit.errors import InputError
from ml.noise import NOISE_KINDS, NoisyLabels, inject_noise, parse_noise

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


_LEVEL_STEPS = 1_000_000
_OF_FEATURES = "instance"


def check_kind(kind: str) -> None:
    """Raise `InputError` where there is no such kind of noise."""
    if kind not in NOISE_KINDS:
        known = ", ".join(NOISE_KINDS)
        raise InputError(f"unknown noise kind {kind!r}; known: {known}", code="invalid_option")


def make_noise(data: StudyData, *, kind: str, level: float, seed: int) -> NoisyLabels:
    """Return the training labels with noise of a nominal level.

    Noise that depends on the single image does so by its pixels.

    Raises:
        InputError: When the data cannot have this noise.
    """
    generator = np.random.default_rng([seed, round(level * _LEVEL_STEPS)])
    features = None
    if kind == _OF_FEATURES:
        features = data.train_images.reshape(len(data.train_images), -1) / 255.0
    try:
        noise = parse_noise(kind, level, features_ND=features)
        return inject_noise(data.train_labels, noise, generator, data.num_classes)
    except ValueError as error:
        raise InputError(str(error), code="invalid_option") from error
