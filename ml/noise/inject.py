"""The one way to inject any kind of noise."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from ml.types import BoolArray, IntArray


class Noise(Protocol):
    """A kind of label noise with its parameters."""

    def draw(self, label_N: IntArray, rng: np.random.Generator, num_classes: int) -> IntArray:
        """Return noisy labels, int64, shape (N,), given true ones in [0, num_classes)."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class NoisyLabels:
    """Labels after injection, and which of them are wrong."""

    labels: IntArray
    """Shape (N,), int64."""
    is_wrong: BoolArray
    """Shape (N,): where `labels` differ from the true ones."""
    actual_rate: float
    """Share of wrong labels; nominal rates are other numbers, see each kind. 0 without samples."""


def inject_noise(
    labels_N: IntArray, noise: Noise, rng: np.random.Generator, num_classes: int
) -> NoisyLabels:
    """Return labels of which some are wrong.

    Every kind decides sample by sample (no exact counts), so that rates vary as a binomial. Equal
    arguments and an equal generator give equal labels; each kind says in what order it draws.

    Args:
        labels_N: True labels, shape (N,), integers in [0, num_classes).
        noise: The kind of noise.
        rng: Where all draws come from.
        num_classes: Number of classes, C.

    Raises:
        ValueError: When labels are out of range, or do not fit the noise.
    """
    label_N = np.asarray(labels_N)
    if label_N.ndim != 1 or not np.issubdtype(label_N.dtype, np.integer):
        raise ValueError("labels must be integers, one for each sample")
    label_N = label_N.astype(np.int64)
    if len(label_N) and not 0 <= label_N.min() <= label_N.max() < num_classes:
        raise ValueError(f"labels must lie between 0 and {num_classes - 1}")
    noisy_N = noise.draw(label_N, rng, num_classes)
    is_wrong_N = noisy_N != label_N
    rate = float(is_wrong_N.mean()) if len(label_N) else 0.0
    return NoisyLabels(labels=noisy_N, is_wrong=is_wrong_N, actual_rate=rate)
