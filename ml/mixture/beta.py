"""Two Beta distributions on (0, 1): their densities, and how to make them likelier."""

from dataclasses import dataclass
from typing import Self

import numpy as np
from scipy.special import betaln, digamma, zeta

from ml.mixture.points import Points
from ml.types import FloatArray

SHAPE_RANGE = (1e-3, 1e6)
"""Shapes beyond these are spikes no loss distribution has; the bounds keep every step finite."""
NEWTON_STEPS = 2
"""Of one M-step; the next one goes on from there."""
NEWTON_TOLERANCE = 1e-7
MIN_MASS = 1e-9
"""A component with less than this share of the samples keeps its shape."""


@dataclass(frozen=True, slots=True, eq=False)
class BetaPair:
    """Parameters of a mixture of two Beta distributions, each of shape (2,)."""

    alpha: FloatArray
    beta: FloatArray
    weight: FloatArray

    @property
    def mean(self) -> FloatArray:
        """Expectations, shape (2,)."""
        return self.alpha / (self.alpha + self.beta)

    def reordered(self, order: list[int]) -> Self:
        """Return the same mixture with its components in another order."""
        return type(self)(self.alpha[order], self.beta[order], self.weight[order])

    def log_density(self, points: Points) -> FloatArray:
        """Return log Beta_k(x), shape (2, M)."""
        return log_density(points, self.alpha, self.beta)

    def score(self, points: Points) -> FloatArray:
        """Return the derivatives of log density by log alpha and log beta, shape (2, 2, M)."""
        digamma_sum = digamma(self.alpha + self.beta)
        by_alpha = points.log_x - (digamma(self.alpha) - digamma_sum)[:, None]
        by_beta = points.log_rest - (digamma(self.beta) - digamma_sum)[:, None]
        return np.stack([self.alpha[:, None] * by_alpha, self.beta[:, None] * by_beta], axis=1)

    def curvature(self, points: Points, mass_KM: FloatArray) -> FloatArray:
        """Return the second derivatives of the weighted log densities, shape (2, 2, 2)."""
        slope_KP = np.einsum("kpm,km->kp", self.score(points), mass_KM)
        shape_KP = np.stack([self.alpha, self.beta], axis=1)
        common_K = zeta(2.0, self.alpha + self.beta)[:, None, None]
        own_KPP = zeta(2.0, shape_KP)[:, :, None] * np.eye(2)
        outer_KPP = shape_KP[:, :, None] * shape_KP[:, None, :]
        total_K = mass_KM.sum(axis=1)[:, None, None]
        gradient_KPP = slope_KP[:, :, None] * np.eye(2)
        return np.asarray(gradient_KPP - total_K * outer_KPP * (own_KPP - common_K))

    def moved(self, step_KP: FloatArray, weight: FloatArray) -> Self:
        """Return the mixture after a step in the logarithms of the shapes."""
        alpha = np.clip(self.alpha * np.exp(step_KP[:, 0]), *SHAPE_RANGE)
        beta = np.clip(self.beta * np.exp(step_KP[:, 1]), *SHAPE_RANGE)
        return type(self)(alpha, beta, weight)

    def maximise(self, points: Points, mass_KM: FloatArray) -> Self:
        """M-step: maximum likelihood by Newton's method; never worse than these parameters."""
        total_K = mass_KM.sum(axis=1)
        safe_K = np.maximum(total_K, MIN_MASS)
        statistics_2K = np.stack([mass_KM @ points.log_x, mass_KM @ points.log_rest]) / safe_K
        now_2K = np.stack([self.alpha, self.beta])
        shape_2K = maximise_shapes(statistics_2K, now_2K, max_steps=NEWTON_STEPS)
        # An empty component keeps its shape.
        shape_2K = np.where(total_K < MIN_MASS * total_K.sum(), now_2K, shape_2K)
        return type(self)(shape_2K[0], shape_2K[1], total_K / total_K.sum())


def log_density(points: Points, alpha: FloatArray, beta: FloatArray) -> FloatArray:
    """Return log Beta(x; alpha, beta), shape (K, M), for K pairs of shapes."""
    log_norm = betaln(alpha, beta)[:, None]
    return np.asarray(
        (alpha - 1.0)[:, None] * points.log_x + (beta - 1.0)[:, None] * points.log_rest - log_norm
    )


def mean_log_likelihood(statistics_2K: FloatArray, shape_2K: FloatArray) -> FloatArray:
    """Return E log Beta(x), but for a constant, given E log x and E log(1-x); shape (K,)."""
    return np.asarray((shape_2K * statistics_2K).sum(axis=0) - betaln(shape_2K[0], shape_2K[1]))


def maximise_shapes(
    statistics_2K: FloatArray, shape_2K: FloatArray, *, max_steps: int
) -> FloatArray:
    """Raise the likelihood of K Beta distributions by Newton steps, each taken only if it rises.

    Solves psi(a) - psi(a+b) = E log x and psi(b) - psi(a+b) = E log(1-x). Steps are taken in the
    logarithm of the shapes and shortened until they help, so the shapes stay positive.
    """
    value_K = mean_log_likelihood(statistics_2K, shape_2K)
    scale_K = np.ones_like(value_K)
    for _ in range(max_steps):
        step_2K = scale_K * _newton_step(statistics_2K, shape_2K)
        new_shape_2K = np.clip(shape_2K * np.exp(step_2K), *SHAPE_RANGE)
        new_value_K = mean_log_likelihood(statistics_2K, new_shape_2K)
        gain_K = new_value_K - value_K
        helps_K = gain_K > 0.0
        shape_2K = np.where(helps_K, new_shape_2K, shape_2K)
        value_K = np.maximum(value_K, new_value_K)
        scale_K = np.where(helps_K, 1.0, scale_K / 4.0)
        if np.abs(gain_K).max() < NEWTON_TOLERANCE:
            break
    return shape_2K


def _newton_step(statistics_2K: FloatArray, shape_2K: FloatArray) -> FloatArray:
    """Return the Newton step in the logarithms of the shapes, held to a factor of e.

    zeta(2, x) is the trigamma function, the derivative of digamma.
    """
    with_sum_3K = np.concatenate([shape_2K, shape_2K.sum(axis=0, keepdims=True)])
    digamma_3K, trigamma_3K = digamma(with_sum_3K), zeta(2.0, with_sum_3K)
    gradient_2K = statistics_2K - digamma_3K[:2] + digamma_3K[2]
    curvature_2K, common_K = trigamma_3K[:2], trigamma_3K[2]
    determinant_K = curvature_2K.prod(axis=0) - common_K * curvature_2K.sum(axis=0)
    other_2K = curvature_2K[::-1] * gradient_2K - common_K * (gradient_2K - gradient_2K[::-1])
    return np.asarray(np.clip(other_2K / (determinant_K * shape_2K), -1.0, 1.0))
