"""How many wrong labels are left, and how many more a reviewer would find (G grid, D draws)."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import expit

from ml.review.calibration import Calibration
from ml.review.grid import count
from ml.types import BoolArray, FloatArray, IntArray

QUANTILES = (0.025, 0.5, 0.975)


@dataclass(frozen=True, kw_only=True, slots=True)
class Remaining:
    """A number of wrong labels and its 95 % interval."""

    estimate: float
    low: float
    high: float


@dataclass(frozen=True, kw_only=True, slots=True)
class CurvePoint:
    """What reviewing the `num` next samples, worst first, is expected to bring."""

    num: int
    found: Remaining
    left: Remaining


def estimate_remaining(
    calibration: Calibration, p_mislabeled: FloatArray, is_left: BoolArray
) -> Remaining:
    """Return how many of the samples that are left carry a wrong label.

    Args:
        calibration: What decisions said of the probabilities.
        p_mislabeled: The probabilities it was made of, shape (N,); NaN is left out.
        is_left: Which samples nobody has decided on, shape (N,).
    """
    left_G = count(p_mislabeled, is_left & ~np.isnan(p_mislabeled)).astype(np.int64)
    return _summed(_wrong_at(calibration, left_G))


def review_curve(
    calibration: Calibration,
    p_mislabeled: FloatArray,
    is_left: BoolArray,
    nums: Sequence[int],
) -> list[CurvePoint]:
    """Return what the next samples would bring, for each number of them; ends with all.

    Args:
        calibration: What decisions said of the probabilities.
        p_mislabeled: The probabilities it was made of, shape (N,); NaN is left out.
        is_left: Which samples nobody has decided on, shape (N,).
        nums: Numbers of samples, rising.
    """
    left_G = count(p_mislabeled, is_left & ~np.isnan(p_mislabeled)).astype(np.int64)
    total = int(left_G.sum())
    return [
        _curve_point(calibration, left_G, num)
        for num in [*(num for num in nums if num < total), total]
    ]


def _curve_point(calibration: Calibration, left_G: IntArray, num: int) -> CurvePoint:
    from_top_G = np.cumsum(left_G[::-1])
    taken_G = np.clip(num - (from_top_G - left_G[::-1]), 0, left_G[::-1])[::-1]
    return CurvePoint(
        num=num,
        found=_summed(_wrong_at(calibration, taken_G)),
        left=_summed(_wrong_at(calibration, left_G - taken_G)),
    )


def _wrong_at(calibration: Calibration, num_G: IntArray) -> FloatArray:
    """Return draws of the number of wrong labels among so many at each point of the grid, (D,)."""
    used_G = num_G > 0
    rng = np.random.default_rng(0)
    wrong_DU = rng.binomial(num_G[used_G], expit(calibration.log_odds[:, used_G]))
    return np.asarray(wrong_DU.sum(axis=1), dtype=np.float64)


def _summed(total_D: FloatArray) -> Remaining:
    low, estimate, high = np.quantile(total_D, QUANTILES)
    return Remaining(estimate=float(estimate), low=float(low), high=float(high))
