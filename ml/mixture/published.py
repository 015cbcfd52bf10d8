"""The published recipe: the losses between two percentiles, fitted by EM on moments."""

import numpy as np
from numpy.typing import NDArray

from ml.mixture.em import BetaPair, EmResult, GaussianPair, em_step, expect, log_density, moments
from ml.mixture.points import Points, PublishedRange
from ml.types import FloatArray

NUM_ITERATIONS = 10
EDGE = 1e-4
RESPONSIBILITY_FLOOR = 1e-12
GAUSSIAN_ITERATIONS = 100
GAUSSIAN_TOLERANCE = 1e-3
"""As scikit-learn's GaussianMixture, which comparisons of this kind use."""
MAX_ROUNDS = 50


def published_range(loss_N: NDArray[np.floating]) -> tuple[PublishedRange, Points]:
    """Return the range between the percentiles and the normalised losses inside it."""
    loss_32 = loss_N[np.isfinite(loss_N)].astype(np.float32)
    low, high = np.percentile(loss_32, 5), np.percentile(loss_32, 95)
    span = PublishedRange(min_loss=float(low + np.float32(1e-5)), max_loss=float(high))
    kept = loss_32[(loss_32 >= low) & (loss_32 <= high)]
    x_N = np.clip(span.normalise(kept), EDGE, 1.0 - EDGE)
    return span, Points(x_N, np.log(x_N), np.log1p(-x_N), np.ones_like(x_N))


def fit_published_beta(points: Points) -> EmResult | None:
    """Run ten iterations of EM on moments; None where they do not give numbers."""
    pair = BetaPair(np.array([1.0, 2.0]), np.array([2.0, 1.0]), np.array([0.5, 0.5]))
    with np.errstate(all="ignore"):
        for _ in range(NUM_ITERATIONS):
            pair = moments_step(points, pair)
    if not _is_proper(pair.alpha, pair.beta):
        return None
    return EmResult(expect(points, pair), NUM_ITERATIONS, converged=False).ordered()


def moments_step(points: Points, pair: BetaPair) -> BetaPair:
    """One published iteration: responsibilities, floored before the row is normalised; moments."""
    joint_KN = np.exp(log_density(points, pair.alpha, pair.beta)) * pair.weight[:, None]
    floored_KN = np.maximum(joint_KN, RESPONSIBILITY_FLOOR)
    responsibility_KN = floored_KN / floored_KN.sum(axis=0)
    mean_K, variance_K = moments(points, responsibility_KN)
    alpha_K = mean_K * (mean_K * (1.0 - mean_K) / variance_K - 1.0)
    beta_K = alpha_K * (1.0 - mean_K) / mean_K
    return BetaPair(alpha_K, beta_K, responsibility_KN.mean(axis=1))


def fit_published_gaussian(points: Points) -> EmResult | None:
    """Run EM from two clusters by distance; None where the values do not differ."""
    if np.ptp(points.x) == 0.0:
        return None
    is_noisy_N = _clusters(points.x).astype(np.float64)
    flat = GaussianPair(np.zeros(2), np.ones(2), np.array([0.5, 0.5]))
    now = expect(points, flat.maximise(points, np.stack([1.0 - is_noisy_N, is_noisy_N])))
    for iteration in range(1, GAUSSIAN_ITERATIONS + 1):
        before = now.log_likelihood
        now = em_step(points, now)
        if now.log_likelihood - before < GAUSSIAN_TOLERANCE * points.total:
            return EmResult(now, iteration, converged=True).ordered()
    return EmResult(now, GAUSSIAN_ITERATIONS, converged=False).ordered()


def _clusters(x_N: FloatArray) -> NDArray[np.bool_]:
    """Return which values belong to the upper of two clusters (k-means)."""
    border = (x_N.min() + x_N.max()) / 2.0
    for _ in range(MAX_ROUNDS):
        is_upper_N = x_N > border
        moved = (x_N[is_upper_N].mean() + x_N[~is_upper_N].mean()) / 2.0
        if moved == border:
            break
        border = moved
    return np.asarray(x_N > border)


def _is_proper(*parameters: FloatArray) -> bool:
    return all(bool(np.all(np.isfinite(value) & (value > 0.0))) for value in parameters)
