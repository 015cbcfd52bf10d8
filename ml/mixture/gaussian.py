"""Two Gaussian distributions on (0, 1), for the paper's comparison with the Beta mixture."""

from dataclasses import dataclass
from typing import Self

import numpy as np

from ml.mixture.points import Points
from ml.types import FloatArray

MIN_VARIANCE = 1e-6
MIN_MASS = 1e-9
"""A component with less than this share of the samples keeps its shape."""


@dataclass(frozen=True, slots=True, eq=False)
class GaussianPair:
    """Parameters of a mixture of two Gaussian distributions, each of shape (2,)."""

    mean: FloatArray
    variance: FloatArray
    weight: FloatArray

    def reordered(self, order: list[int]) -> Self:
        """Return the same mixture with its components in another order."""
        return type(self)(self.mean[order], self.variance[order], self.weight[order])

    def log_density(self, points: Points) -> FloatArray:
        """Return log N_k(x), shape (2, M)."""
        log_norm = np.log(2.0 * np.pi * self.variance)[:, None]
        return np.asarray(-0.5 * (self._squared(points) + log_norm))

    def score(self, points: Points) -> FloatArray:
        """Return the derivatives of log density by mean and log variance, shape (2, 2, M)."""
        by_mean = (points.x - self.mean[:, None]) / self.variance[:, None]
        return np.stack([by_mean, 0.5 * (self._squared(points) - 1.0)], axis=1)

    def curvature(self, points: Points, mass_KM: FloatArray) -> FloatArray:
        """Return the second derivatives of the weighted log densities, shape (2, 2, 2)."""
        by_mean_K = mass_KM.sum(axis=1) / self.variance
        mixed_K = (mass_KM * (points.x - self.mean[:, None])).sum(axis=1) / self.variance
        by_variance_K = 0.5 * (mass_KM * self._squared(points)).sum(axis=1)
        rows = [[by_mean_K, mixed_K], [mixed_K, by_variance_K]]
        return -np.moveaxis(np.array(rows), -1, 0)

    def moved(self, step_KP: FloatArray, weight: FloatArray) -> Self:
        """Return the mixture after a step in the means and the logarithms of the variances."""
        variance = np.maximum(self.variance * np.exp(step_KP[:, 1]), MIN_VARIANCE)
        return type(self)(self.mean + step_KP[:, 0], variance, weight)

    def maximise(self, points: Points, mass_KM: FloatArray) -> Self:
        """M-step: maximum likelihood, which for Gaussians is the weighted moments."""
        total_K = mass_KM.sum(axis=1)
        is_empty_K = total_K < MIN_MASS * total_K.sum()
        mean, variance = moments(points, mass_KM)
        return type(self)(
            np.where(is_empty_K, self.mean, mean),
            np.where(is_empty_K, self.variance, np.maximum(variance, MIN_VARIANCE)),
            total_K / total_K.sum(),
        )

    def _squared(self, points: Points) -> FloatArray:
        """Return squared standardised distances, shape (2, M)."""
        distance_KM = points.x - self.mean[:, None]
        return np.asarray(distance_KM**2 / self.variance[:, None])


def moments(points: Points, mass_KM: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return the weighted means and variances, each of shape (2,)."""
    total_K = np.maximum(mass_KM.sum(axis=1), np.finfo(np.float64).tiny)
    mean_K = mass_KM @ points.x / total_K
    variance_K = (mass_KM * (points.x - mean_K[:, None]) ** 2).sum(axis=1) / total_K
    return mean_K, variance_K
