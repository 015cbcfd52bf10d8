"""The robust fit: all losses, maximum likelihood, the scale on which two groups show best."""

from typing import NamedTuple

import numpy as np

from ml.mixture.beta import BetaPair
from ml.mixture.em import EmResult, run_race
from ml.mixture.normalise import LinearRange, MedianRatio
from ml.mixture.points import Points, linear_points, ratio_points
from ml.mixture.selection import confusion
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
    """Fit on both scales and return the ratio, but where the line is likelier and clearer.

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
