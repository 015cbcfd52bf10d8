"""How far rates may be off: over all hypotheses, and by the number of samples (H hypotheses)."""

import numpy as np
from numpy.typing import NDArray

from ml.types import BoolArray

INTERVAL_Z = 1.96
"""Standard deviations of a 95 % interval."""
MIN_TOLD = 0.005
"""A noise rate below this is not told from none: as few labels contradict a good network's surest
predictions on data whose labels are right (CIFAR-10: .0025 to .005)."""
MIN_SEEN = 0.5
"""Share of the wrong labels that predictions contradict at all, at least. Where network and
annotators err alike no prediction shows it: on handwritten Roman numerals .52 to .56 of the errors
were among the flagged of three networks, on other data more (docs/results)."""
MIN_WRONG = 1e-12
UNKNOWN = (0.0, 1.0)
Interval = tuple[float, float]


def noise_rate_interval(p_wrong_HM: NDArray[np.float32]) -> Interval:
    """Return from the least to the greatest noise rate of any hypothesis, with sampling error.

    Hypotheses weigh the same and there are too few of them to leave out one at each end of a 95 %
    interval; each end is that of a Wilson interval for M samples.
    """
    num_samples = p_wrong_HM.shape[1]
    if num_samples == 0:
        return UNKNOWN
    rate_H = p_wrong_HM.mean(axis=1, dtype=np.float64)
    low, high = _spread(rate_H, num_samples)
    return (low if low >= MIN_TOLD else 0.0), high


def precision_interval(p_wrong_HM: NDArray[np.float32], flagged_M: BoolArray) -> Interval:
    """Return which shares of the flagged may be wrong; everything where none is flagged."""
    num_flagged = int(flagged_M.sum())
    if num_flagged == 0:
        return UNKNOWN
    return _spread(p_wrong_HM[:, flagged_M].mean(axis=1, dtype=np.float64), num_flagged)


def recall_interval(p_wrong_HM: NDArray[np.float32], flagged_M: BoolArray) -> Interval:
    """Return which shares of the wrong labels may be flagged; everything where none is flagged.

    The upper end is 1: perhaps no other label is wrong. The lower end is the least recall of any
    hypothesis, with sampling error, times `MIN_SEEN`.
    """
    if not flagged_M.any():
        return UNKNOWN
    wrong_H = p_wrong_HM.sum(axis=1, dtype=np.float64)
    found_H = p_wrong_HM[:, flagged_M].sum(axis=1, dtype=np.float64)
    recall_H = found_H / np.maximum(wrong_H, MIN_WRONG)
    low, _ = _spread(recall_H, max(1.0, float(wrong_H.mean())))
    return MIN_SEEN * low, 1.0


def wilson(rate: float, num_samples: float) -> Interval:
    """Return the 95 % Wilson score interval of a proportion (Wilson 1927)."""
    z2 = INTERVAL_Z**2 / num_samples
    centre = (rate + z2 / 2.0) / (1.0 + z2)
    half = np.sqrt(z2 * (rate * (1.0 - rate) + z2 / 4.0)) / (1.0 + z2)
    return max(0.0, float(centre - half)), min(1.0, float(centre + half))


def _spread(rate_H: NDArray[np.float64], num_samples: float) -> Interval:
    low, _ = wilson(float(np.clip(rate_H.min(), 0.0, 1.0)), num_samples)
    _, high = wilson(float(np.clip(rate_H.max(), 0.0, 1.0)), num_samples)
    return low, high
