"""How good flags, probabilities and intervals are against a known truth (N samples)."""

from collections.abc import Iterable
from statistics import fmean

import numpy as np
from scipy.stats import rankdata

from ml.types import BoolArray, FloatArray

Interval = tuple[float, float]

UNINFORMED: Interval = (0.0, 0.5)
"""The interval of a noise rate that anyone can state without a look at the data."""
_MISSED = 0.05
"""How often a 95 % interval may miss."""
_NUM_BINS = 15
_ROUNDING = 1e-6
"""Where all flagged labels are wrong, an end at 1 less 1e-10 is no miss."""


def f1(flagged_N: BoolArray, is_wrong_N: BoolArray) -> float:
    """Return the harmonic mean of precision and recall; 1 where nothing is wrong or flagged."""
    total = int(flagged_N.sum() + is_wrong_N.sum())
    return 2.0 * int((flagged_N & is_wrong_N).sum()) / total if total else 1.0


def roc_auc(score_N: FloatArray, is_wrong_N: BoolArray) -> float | None:
    """Return the area under the ROC curve, ties counting half; None without both kinds."""
    num_wrong, num_right = int(is_wrong_N.sum()), int((~is_wrong_N).sum())
    if num_wrong == 0 or num_right == 0:
        return None
    rank_sum = float(rankdata(score_N)[is_wrong_N].sum())
    return (rank_sum - num_wrong * (num_wrong + 1) / 2.0) / (num_wrong * num_right)


def calibration_error(p_N: FloatArray, is_wrong_N: BoolArray) -> float:
    """Return the expected calibration error over 15 equal bins (Guo et al., ICML 2017).

    Samples that were not judged, NaN, are left out.
    """
    is_judged_N = ~np.isnan(p_N)
    p_M, is_wrong_M = p_N[is_judged_N], is_wrong_N[is_judged_N]
    bin_M = np.minimum((p_M * _NUM_BINS).astype(np.int64), _NUM_BINS - 1)
    gap = np.bincount(bin_M, p_M - is_wrong_M, _NUM_BINS)
    return float(np.abs(gap).sum() / max(len(p_M), 1))


def holds(interval: Interval, truth: float) -> bool:
    """Tell whether an interval, its ends included, holds the truth, but for rounding."""
    low, high = interval
    return low - _ROUNDING <= truth <= high + _ROUNDING


def winkler_score(interval: Interval, truth: float) -> float:
    """Return width + 2 / .05 times the distance of the truth (Winkler 1972); less is better.

    Wide intervals cost their width, narrow ones that miss cost more.
    """
    low, high = interval
    distance = max(low - truth, truth - high, 0.0)
    return high - low + 2.0 / _MISSED * distance


def group_means(found: Iterable[tuple[str, float | None]]) -> dict[str, float]:
    """Return the mean of each group, and as `mean` that over the groups, each counting once.

    Args:
        found: Group and value of each set; None where a set has none.
    """
    by_group: dict[str, list[float]] = {}
    for group, value in found:
        if value is not None:
            by_group.setdefault(group, []).append(value)
    means = {group: fmean(values) for group, values in by_group.items()}
    return means | {"mean": fmean(means.values())}
