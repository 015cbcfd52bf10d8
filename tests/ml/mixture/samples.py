"""Losses drawn from known groups, and the published recipe restated without our code."""

import numpy as np
from scipy.optimize import brentq
from scipy.stats import beta as beta_distribution

from ml.types import BoolArray, FloatArray

GOLDEN_CASES = ("0_sep", "1_overlap", "2_lownoise", "3_highnoise", "4_skew")
CLEAN_SHAPES = ("beta", "exponential", "half_normal", "gamma", "weibull", "uniform")


def two_groups(num_clean: int, num_noisy: int, *, seed: int = 0) -> tuple[FloatArray, FloatArray]:
    """Return losses of right and of wrong labels between 0 and 4 nats."""
    rng = np.random.default_rng(seed)
    clean = 4.0 * rng.beta(2.0, 12.0, size=num_clean)
    noisy = 4.0 * rng.beta(9.0, 4.0, size=num_noisy)
    return clean, noisy


def few_far(num_clean: int = 4600, num_noisy: int = 400) -> tuple[FloatArray, BoolArray]:
    """Return losses of which few are far above the others, and which these are."""
    rng = np.random.default_rng(3)
    loss_N = np.concatenate([rng.gamma(5.0, 0.06, num_clean), rng.gamma(9.0, 0.5, num_noisy)])
    return loss_N, np.arange(len(loss_N)) >= num_clean


def clean_losses(shape: str, num_samples: int, seed: int = 0) -> FloatArray:
    """Return losses of one group."""
    rng = np.random.default_rng(seed)
    draws: dict[str, FloatArray] = {
        "beta": 4.0 * rng.beta(2.0, 6.0, num_samples),
        "exponential": rng.exponential(0.3, num_samples),
        "half_normal": np.abs(rng.normal(0.0, 0.5, num_samples)),
        "gamma": rng.gamma(2.0, 0.3, num_samples),
        "weibull": rng.weibull(0.7, num_samples),
        "uniform": rng.uniform(0.0, 1.0, num_samples),
    }
    return draws[shape]


def ratio_model_draw(rng: np.random.Generator, rate: float, num_samples: int) -> FloatArray:
    """Return losses whose ratio to their median is a mixture of two Beta distributions."""
    shapes = ((2.0, 2.0), (20.0, 3.0))

    def share_below_half(log_factor: float) -> float:
        shares = [beta_distribution.cdf(0.5, a, b * np.exp(log_factor)) for a, b in shapes]
        return float((1.0 - rate) * shares[0] + rate * shares[1] - 0.5)

    factor = np.exp(brentq(share_below_half, -6.0, 6.0))
    is_noisy_N = rng.random(num_samples) < rate
    clean_N, noisy_N = (rng.beta(a, b * factor, num_samples) for a, b in shapes)
    x_N = np.where(is_noisy_N, noisy_N, clean_N)
    return np.asarray(x_N / (1.0 - x_N))


def linear_model_draw(rng: np.random.Generator, rate: float, num_samples: int) -> FloatArray:
    """Return losses whose share of 4 nats is a mixture of two Beta distributions."""
    is_noisy_N = rng.random(num_samples) < rate
    clean_N, noisy_N = rng.beta(2.0, 12.0, num_samples), rng.beta(9.0, 4.0, num_samples)
    return np.asarray(4.0 * np.where(is_noisy_N, noisy_N, clean_N))


def recipe(loss_N: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return alpha, beta and weight of the published recipe, line by line."""
    loss = np.asarray(loss_N, dtype=np.float32)
    low, high = np.percentile(loss, 5), np.percentile(loss, 95)
    loss = loss[(loss >= low) & (loss <= high)]
    low = low + np.float32(1e-5)
    loss = (loss - low) / (high - low + np.float32(1e-6))
    loss[loss >= 1] = np.float32(1 - 1e-3)
    loss[loss <= 0] = np.float32(1e-3)
    x = np.clip(loss.astype(np.float64), 1e-4, 1 - 1e-4)
    a, b, w = np.array([1.0, 2.0]), np.array([2.0, 1.0]), np.array([0.5, 0.5])
    for _ in range(10):
        joint = np.stack([w[k] * beta_distribution.pdf(x, a[k], b[k]) for k in (0, 1)])
        r = np.maximum(joint, 1e-12)
        r = r / r.sum(axis=0)
        m = (r * x).sum(axis=1) / r.sum(axis=1)
        v = (r * (x - m[:, None]) ** 2).sum(axis=1) / r.sum(axis=1)
        a = m * (m * (1 - m) / v - 1)
        b = a * (1 - m) / m
        w = r.mean(axis=1)
    return a, b, w
