"""Label noise on purpose, for studies: which labels are wrong is then known.

N samples, D features, C classes. Every kind of noise has its parameters and the order of its draws.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri, softmax
from typing_extensions import override

from ml.types import BoolArray, FloatArray, IntArray

CIFAR10_CLASS_MAP: Mapping[int, int] = {9: 1, 2: 0, 4: 7, 3: 5, 5: 3}
"""Truck to automobile, bird to airplane, deer to horse, cat to dog and back (Patrini et al.)."""
ROW_TOLERANCE = 1e-6
RATE_DEVIATION = 0.1


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
    """Moves a label, with probability `rate`, to the class that its class is mistaken for.

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


@dataclass(frozen=True, slots=True, eq=False)
class InstanceNoise(Noise):
    """Instance-dependent noise as Xia et al. 2020 (Part-dependent Label Noise) generate it.

    Each sample has its own probability of a wrong label, from a normal distribution of deviation
    0.1 around `rate`; each true class has a random projection (D, C) of features whose softmax
    over the other classes gives the wrong class. One thing differs: the normal is
    truncated at equal distances, to [0, 2 rate] or [2 rate - 1, 1], not to [0, 1]. So its mean is
    `rate`, rate 0 changes nothing, and `rate` of the samples end up wrong.

    Draws: one number a sample that decides, one for its probability, one for its class; then class
    by class the projection. Memory beside the features: a class's projection and its samples'
    features and probabilities, in float64.
    """

    rate: float
    features: NDArray[np.floating] | NDArray[np.integer]
    """Shape (N, D), used as given, such as pixels in [0, 1] or logits. The larger their values, the
    surer the class that a sample is mistaken for."""

    def __post_init__(self) -> None:
        check_rate(self.rate)
        if self.features.ndim != 2 or not self.features.shape[1]:
            raise ValueError(f"features must have shape (N, D), not {self.features.shape}")

    @override
    def draw(self, label_N: IntArray, rng: np.random.Generator, num_classes: int) -> IntArray:
        check_has_others(num_classes)
        num_samples, num_features = self.features.shape
        if num_samples != len(label_N):
            raise ValueError(f"features of {num_samples} samples for {len(label_N)} labels")
        decide_N, place_N, choose_N = rng.random((3, num_samples))
        is_moved_N = decide_N < truncated_normal(place_N, self.rate)
        noisy_N = label_N.copy()
        for true in range(num_classes):
            projection_DC = rng.standard_normal((num_features, num_classes))
            rows = np.flatnonzero(is_moved_N & (label_N == true))
            noisy_N[rows] = _mistaken_for(
                self.features[rows] @ projection_DC, choose_N[rows], true=true
            )
        return noisy_N


def truncated_normal(place_N: FloatArray, mean: float) -> FloatArray:
    """Return quantiles of the normal around `mean`, cut at equal distances to stay in [0, 1]."""
    low = float(ndtr(-min(mean, 1.0 - mean) / RATE_DEVIATION))
    quantile_N = np.asarray(ndtri(low + place_N * (1.0 - 2.0 * low)), dtype=np.float64)
    return np.clip(mean + RATE_DEVIATION * quantile_N, 0.0, 1.0)


def _mistaken_for(score_NC: FloatArray, choose_N: FloatArray, *, true: int) -> IntArray:
    """Return a class other than `true` for each row, by the softmax of its scores."""
    if not np.isfinite(score_NC).all():
        raise ValueError("features must be finite")
    score_NC[:, true] = -np.inf
    cumulated_NC = np.cumsum(softmax(score_NC, axis=1), axis=1)
    cumulated_NC /= cumulated_NC[:, -1:]
    return np.asarray((cumulated_NC <= choose_N[:, None]).sum(axis=1), dtype=np.int64)


def _instance(rate: float, features_ND: FloatArray | None) -> Noise:
    if features_ND is None:
        raise ValueError("instance noise needs features of the samples")
    return InstanceNoise(rate, features_ND)


NOISE_KINDS: dict[str, Callable[[float, FloatArray | None], Noise]] = {
    "uniform": lambda rate, _: UniformNoise(rate),
    "uniform-others": lambda rate, _: UniformOthersNoise(rate),
    "asymmetric": lambda rate, _: AsymmetricNoise(rate),
    "asymmetric-cifar10": lambda rate, _: AsymmetricNoise(rate, CIFAR10_CLASS_MAP),
    "instance": _instance,
}
"""Kinds that need a rate, and `instance` also features; each is made from both."""


def parse_noise(name: str, rate: float, *, features_ND: FloatArray | None = None) -> Noise:
    """Return a kind of noise by its name.

    Args:
        name: One of `NOISE_KINDS`.
        rate: Nominal rate in [0, 1]; what it means is written at each kind.
        features_ND: Features, shape (N, D); needed only by `instance`.

    Raises:
        ValueError: When the name is unknown (the message names the known ones), the rate is out
            of range, or features are needed and missing.
    """
    if name not in NOISE_KINDS:
        raise ValueError(f"unknown noise {name!r}; known: {', '.join(NOISE_KINDS)}")
    return NOISE_KINDS[name](rate, features_ND)


def check_rate(rate: float) -> None:
    """Raise `ValueError` unless the rate is in [0, 1]."""
    if not 0.0 <= rate <= 1.0:
        raise ValueError(f"a noise rate must be between 0 and 1, not {rate!r}")


def check_has_others(num_classes: int) -> None:
    """Raise `ValueError` when there is no other class to move a label to."""
    if num_classes < 2:
        raise ValueError("this noise needs at least two classes")
