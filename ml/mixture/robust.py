"""The robust fit: all losses, maximum likelihood, the scale on which two groups show best.

Also whether losses show two groups at all, and how sure their share is (M points).
"""

from typing import NamedTuple

import numpy as np
from scipy.special import expit, logit

from ml.mixture.em import (
    BetaPair,
    EmResult,
    Expectation,
    gradient_and_information,
    maximise_shapes,
    mean_log_likelihood,
    run_race,
)
from ml.mixture.points import LinearRange, MedianRatio, Points, linear_points, ratio_points
from ml.types import FloatArray

HALVES = np.array([0.5, 0.5])
MOSTLY_CLEAN = np.array([0.9, 0.1])
MOSTLY_NOISY = np.array([0.3, 0.7])
RATIO_STARTS = (
    BetaPair(np.array([1.5, 20.0]), np.array([1.5, 2.0]), MOSTLY_CLEAN),
    BetaPair(np.array([1.0, 10.0]), np.array([5.0, 10.0]), MOSTLY_NOISY),
)
LINEAR_STARTS = (BetaPair(np.array([1.0, 10.0]), np.array([5.0, 2.0]), MOSTLY_CLEAN),)
"""Few noisy samples, and many: EM stops at a local optimum, and the better one is taken."""
CLEARER = 0.6
"""The linear scale must confuse at most this share of what the ratio confuses."""
MAX_CONFUSION = 0.5
"""Largest confusion of two groups: half of the smaller group."""
MIN_GROUP = 5
"""Smallest number of samples in a group."""
MIN_NOISY_LOSS = float(np.log(3.0))
"""Smallest typical loss of the noisy group, in nats: the network gives its labels a third at most.
On right labels of CIFAR-10 the noisier group had .83, on labels of which 42 % were wrong 2.2.

A network that has learned clean data well leaves losses of 0.0001 and of 0.1, two groups by any
likelihood, and agrees with all of them.
"""
NUM_EXTRA_PARAMETERS = 1
"""Two Beta distributions and a weight (5) against one group's shape, shape, scale and power (4)."""
SIDES = np.array([-1.0, 0.0, 1.0])
GRID = np.stack(np.meshgrid(SIDES, SIDES), axis=-1).reshape(-1, 2)
CENTRE = 4
LOG_POWER_RANGE = (np.log(0.1), np.log(4.0))
"""Times the deviation of the log loss: a sharper bend is the border of two groups, not a group."""
FIRST_STEP = (0.5, 1.0)
"""In the logarithm of the power, and in standard deviations of the log loss."""
NUM_ROUNDS = 16
NEWTON_STEPS = 7
INTERVAL_Z = 1.96
MAX_LOG_ODDS = 20.0


class TwoGroups(NamedTuple):
    """A fit of two Beta distributions on one scale."""

    normalisation: MedianRatio | LinearRange
    points: Points
    result: EmResult
    log_likelihood: float
    """Sum of log p(log loss), in nats: comparable between scales."""


def fit_two_groups(
    loss_M: FloatArray, count_M: FloatArray, *, scale: float, max_loss: float
) -> TwoGroups:
    """Fit on both scales; return the linear scale where it is likelier and clearer, else the ratio.

    Real losses have heavy tails, for which the ratio finds wrong labels best; losses that really
    are Beta distributed between 0 and a largest one are found on the linear scale.
    """
    ratio, line = _on_ratio(loss_M, count_M, scale), _on_line(loss_M, count_M, max_loss)
    is_clearer = confusion(line.points, line.result.end) <= CLEARER * confusion(
        ratio.points, ratio.result.end
    )
    return line if is_clearer and line.log_likelihood > ratio.log_likelihood else ratio


def _on_ratio(loss_M: FloatArray, count_M: FloatArray, scale: float) -> TwoGroups:
    points = ratio_points(loss_M, count_M, scale)
    result = run_race(points, RATIO_STARTS)
    # |dx / d log loss| = x (1 - x)
    log_jacobian = float(count_M @ (points.log_x + points.log_rest))
    log_likelihood = result.end.log_likelihood + log_jacobian
    return TwoGroups(MedianRatio(scale=scale), points, result, log_likelihood)


def _on_line(loss_M: FloatArray, count_M: FloatArray, max_loss: float) -> TwoGroups:
    points = linear_points(loss_M, count_M, max_loss)
    result = run_race(points, LINEAR_STARTS)
    # |dx / d log loss| = x
    log_likelihood = result.end.log_likelihood + float(count_M @ points.log_x)
    normalisation = LinearRange(min_loss=float(loss_M.min()), max_loss=max_loss)
    return TwoGroups(normalisation, points, result, log_likelihood)


def shows_two_groups(points: Points, fit: Expectation, gain: float) -> bool:
    """Tell whether two components are likelier than one by BIC, and can be told apart.

    Args:
        points: The samples.
        fit: The two components.
        gain: Their log-likelihood less that of one group, of the same losses.
    """
    return bool(
        gain > NUM_EXTRA_PARAMETERS * np.log(points.total) / 2.0
        and confusion(points, fit) < MAX_CONFUSION
        and fit.pair.weight.min() * points.total >= MIN_GROUP
    )


def is_disagreed_with(log_loss_M: FloatArray, points: Points, fit: Expectation) -> bool:
    """Tell whether the network gives little probability to the labels of the noisier group."""
    mass_M = fit.responsibility[int(np.argmax(fit.pair.mean))] * points.count
    mean_log_loss = float(mass_M @ log_loss_M) / max(float(mass_M.sum()), np.finfo(np.float64).tiny)
    return bool(mean_log_loss >= np.log(MIN_NOISY_LOSS))


def confusion(points: Points, fit: Expectation) -> float:
    """Return the expected share of wrongly assigned samples, relative to the smaller group."""
    return overlap(points, fit) / max(float(fit.pair.weight.min()), np.finfo(np.float64).tiny)


def single_group_log_likelihood(log_loss_M: FloatArray, count_M: FloatArray) -> float:
    """Return the greatest sum of log p(log loss) of one group, in nats.

    One group is a Beta distribution of 1 / (1 + (scale / loss)**power), scale and power being free:
    the generalised beta distribution of the second kind. Exponential, gamma, half-normal, Weibull
    and log-normal losses are members or limits of it, so none of them passes for two groups.
    Found by a pattern search over power and scale; the shapes are maximised for each.
    """
    total = float(count_M.sum())
    mean = float(count_M @ log_loss_M) / total
    deviation = float(np.sqrt(count_M @ (log_loss_M - mean) ** 2 / total))
    standard_M = (log_loss_M - mean) / deviation
    step = np.asarray(FIRST_STEP)
    best = (-np.inf, np.ones(2), np.zeros(2))
    for _ in range(NUM_ROUNDS):
        candidates = best[2] + GRID * step
        candidates[:, 0] = np.clip(candidates[:, 0], *LOG_POWER_RANGE)
        values, shapes = _profile(standard_M, count_M / total, candidates, start=best[1])
        winner = int(np.argmax(values))
        if values[winner] <= best[0] or winner == CENTRE:
            step = step / 2.0
        if values[winner] > best[0]:
            best = (float(values[winner]), shapes[:, winner], candidates[winner])
    return total * (best[0] - float(np.log(deviation)))


def _profile(
    standard_M: FloatArray, share_M: FloatArray, candidates: FloatArray, *, start: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Return the best mean log-likelihood (G) and shapes (2, G) at log powers and scales (G, 2)."""
    power_G = np.exp(candidates[:, 0])
    log_odds_GM = power_G[:, None] * (standard_M - candidates[:, 1:])
    log_x_G = -np.logaddexp(0.0, -log_odds_GM) @ share_M
    statistics_2G = np.stack([log_x_G, log_x_G - log_odds_GM @ share_M])
    start_2G = np.repeat(start[:, None], len(candidates), axis=1)
    shape_2G = maximise_shapes(statistics_2G, start_2G, max_steps=NEWTON_STEPS)
    return mean_log_likelihood(statistics_2G, shape_2G) + candidates[:, 0], shape_2G


def overlap(points: Points, fit: Expectation) -> float:
    """Return the expected share of samples that are assigned to the other component, 0 to 1/2."""
    return float(points.count @ fit.responsibility.min(axis=0)) / points.total


def noise_rate_interval(points: Points, fit: Expectation) -> tuple[float, float]:
    """Return a 95 % interval of the weight of the noisy component.

    From the observed information of all five parameters, on the scale of log odds: it stays inside
    (0, 1) and accounts for shapes and weight being estimated together. The losses do not tell the
    component of samples where both components overlap: the expected share of such samples is added
    on both sides.
    """
    _, information = gradient_and_information(points, fit)
    rate, shared = float(fit.pair.weight[1]), overlap(points, fit)
    if not 0.0 < rate < 1.0 or np.linalg.eigvalsh(information)[0] <= 0.0:
        return 0.0, 1.0
    half = INTERVAL_Z * np.sqrt(np.linalg.inv(information)[4, 4])
    low, high = np.clip(logit(rate) + np.array([-half, half]), -MAX_LOG_ODDS, MAX_LOG_ODDS)
    return max(0.0, float(expit(low)) - shared), min(1.0, float(expit(high)) + shared)
