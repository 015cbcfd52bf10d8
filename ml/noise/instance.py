"""Noise that depends on what a sample looks like (N samples, D features, C classes)."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri, softmax
from typing_extensions import override

from ml.noise.checks import check_has_others, check_rate
from ml.noise.inject import Noise
from ml.types import FloatArray, IntArray

RATE_DEVIATION = 0.1


@dataclass(frozen=True, slots=True, eq=False)
class InstanceNoise(Noise):
    """Instance-dependent noise as Xia et al. 2020 (Part-dependent Label Noise) generate it.

    Each sample has its own probability of a wrong label, from a normal distribution of deviation
    0.1 around `rate`; each true class has a random projection (D, C) of features whose softmax
    over the other classes says which one it is mistaken for. One thing differs: the normal is
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
        is_moved_N = decide_N < _truncated_normal(place_N, self.rate)
        noisy_N = label_N.copy()
        for true in range(num_classes):
            projection_DC = rng.standard_normal((num_features, num_classes))
            rows = np.flatnonzero(is_moved_N & (label_N == true))
            noisy_N[rows] = _mistaken_for(
                self.features[rows] @ projection_DC, choose_N[rows], true=true
            )
        return noisy_N


def _truncated_normal(place_N: FloatArray, mean: float) -> FloatArray:
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
