"""Noise that depends on nothing but the true class (N samples, C classes)."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from typing_extensions import override

from ml.noise.checks import check_has_others, check_rate
from ml.noise.inject import Noise
from ml.types import FloatArray, IntArray

CIFAR10_CLASS_MAP: Mapping[int, int] = {9: 1, 2: 0, 4: 7, 3: 5, 5: 3}
"""Truck to automobile, bird to airplane, deer to horse, cat to dog and back (Patrini et al.)."""
ROW_TOLERANCE = 1e-6


@dataclass(frozen=True, slots=True)
class UniformNoise(Noise):
    """Draws a label anew from all classes, the true one included (paper, section 4).

    A label is drawn anew with probability `rate`, so `rate (C - 1) / C` end up wrong: 45 % of 10
    classes at the paper's 50 %. Draws: one number a sample that decides, then one class a sample.
    """

    rate: float

    def __post_init__(self) -> None:
        check_rate(self.rate)

    @override
    def draw(self, label_N: IntArray, rng: np.random.Generator, num_classes: int) -> IntArray:
        is_drawn_N = rng.random(len(label_N)) < self.rate
        any_N = rng.integers(num_classes, size=len(label_N))
        return np.where(is_drawn_N, any_N, label_N)


@dataclass(frozen=True, slots=True)
class UniformOthersNoise(Noise):
    """Moves a label to one of the other classes with probability `rate`, which end up wrong.

    Draws: one number a sample that decides, then one class a sample.
    """

    rate: float

    def __post_init__(self) -> None:
        check_rate(self.rate)

    @override
    def draw(self, label_N: IntArray, rng: np.random.Generator, num_classes: int) -> IntArray:
        check_has_others(num_classes)
        is_moved_N = rng.random(len(label_N)) < self.rate
        step_N = rng.integers(1, num_classes, size=len(label_N))
        return np.where(is_moved_N, (label_N + step_N) % num_classes, label_N)


@dataclass(frozen=True, slots=True, eq=False)
class AsymmetricNoise(Noise):
    """Moves a label to the class that its own is mistaken for, with probability `rate`.

    Classes outside of the map keep their labels, so of all samples fewer than `rate` may be wrong.
    Draws: one number a sample that decides.
    """

    rate: float
    class_map: Mapping[int, int] | IntArray | None = None
    """Wrong class by true class, as a mapping or shape (C,); None: each class's successor."""

    def __post_init__(self) -> None:
        check_rate(self.rate)

    @override
    def draw(self, label_N: IntArray, rng: np.random.Generator, num_classes: int) -> IntArray:
        wrong_C = self._wrong_classes(num_classes)
        is_moved_N = rng.random(len(label_N)) < self.rate
        return np.where(is_moved_N, wrong_C[label_N], label_N)

    def _wrong_classes(self, num_classes: int) -> IntArray:
        wrong_C = np.arange(num_classes, dtype=np.int64)
        if self.class_map is None:
            check_has_others(num_classes)
            return (wrong_C + 1) % num_classes
        given = self.class_map
        class_map = given if isinstance(given, Mapping) else dict(enumerate(given))
        for true, wrong in class_map.items():
            if not (0 <= true < num_classes and 0 <= wrong < num_classes):
                raise ValueError(
                    f"the class map's {true} -> {wrong} is not of {num_classes} classes"
                )
            wrong_C[true] = wrong
        return wrong_C


@dataclass(frozen=True, slots=True, eq=False)
class MatrixNoise(Noise):
    """Draws every label from its true class's row of a matrix.

    Draws: one number a sample, which is looked up in the row's cumulated probabilities.
    """

    matrix: FloatArray
    """Shape (C, C): probability of each label (column) given the true class (row)."""

    def __post_init__(self) -> None:
        matrix_CC = np.asarray(self.matrix)
        if matrix_CC.ndim != 2 or matrix_CC.shape[0] != matrix_CC.shape[1] or not len(matrix_CC):
            raise ValueError(f"a noise matrix must be square, not of shape {matrix_CC.shape}")
        for row, probability_C in enumerate(matrix_CC):
            if not (probability_C >= 0.0).all():
                raise ValueError(
                    f"row {row} of the noise matrix has values that are no probability"
                )
            if abs(float(probability_C.sum()) - 1.0) > ROW_TOLERANCE:
                total = float(probability_C.sum())
                raise ValueError(f"row {row} of the noise matrix sums to {total:.6g}, not to 1")

    @override
    def draw(self, label_N: IntArray, rng: np.random.Generator, num_classes: int) -> IntArray:
        matrix_CC = np.asarray(self.matrix, dtype=np.float64)
        if len(matrix_CC) != num_classes:
            raise ValueError(f"the noise matrix has {len(matrix_CC)} classes, not {num_classes}")
        uniform_N = rng.random(len(label_N))
        noisy_N = np.empty_like(label_N)
        for true, probability_C in enumerate(matrix_CC):
            is_true_N = label_N == true
            noisy_N[is_true_N] = classes_at(probability_C, uniform_N[is_true_N])
        return noisy_N


def classes_at(probability_C: FloatArray, uniform_N: FloatArray) -> IntArray:
    """Return the class at each position of [0, 1) when classes lie there in order.

    The cumulated sum is scaled to end at 1 exactly, so a class of probability 0 is never drawn.
    """
    cumulated_C = np.cumsum(probability_C)
    return np.searchsorted(cumulated_C / cumulated_C[-1], uniform_N, side="right")
