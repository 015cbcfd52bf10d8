"""The few most probable classes of each sample (N samples, C classes, K of them, M at once)."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ml.types import FloatArray, IntArray

NUM_LIKELY = 6
_VALUES_AT_ONCE = 2**22
"""Sorting needs as much again: 64 MiB, not another array of the size of all probabilities."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class LikelyClasses:
    """Classes beside the suggested one, by falling probability; arrays of shape (N, K)."""

    label: NDArray[np.int32]
    probability: NDArray[np.float32]
    """0 to 1; of the same distribution as the suggestion's confidence."""


def likely_classes(
    true_class_NC: FloatArray, suggested_N: IntArray, num: int = NUM_LIKELY
) -> LikelyClasses:
    """Return the most probable classes other than the suggested one.

    Args:
        true_class_NC: Posterior of the true class, rows sum to 1.
        suggested_N: Suggested labels.
        num: How many; where there are fewer other classes, K is less.
    """
    num_samples, num_classes = true_class_NC.shape
    num_kept = min(num, num_classes - 1)
    label_NK = np.zeros((num_samples, num_kept), dtype=np.int32)
    num_rows = max(_VALUES_AT_ONCE // num_classes, 1)
    for start in range(0, num_samples, num_rows):
        rows = slice(start, start + num_rows)
        label_NK[rows] = _first(true_class_NC[rows], suggested_N[rows], num_kept)
    probability_NK = np.take_along_axis(true_class_NC, label_NK, axis=1)
    return LikelyClasses(
        label=label_NK, probability=np.clip(probability_NK, 0.0, 1.0).astype(np.float32)
    )


def _first(true_class_MC: FloatArray, suggested_M: IntArray, num_kept: int) -> IntArray:
    """Return the most probable classes but the suggested one, the most probable first."""
    other_MC = true_class_MC.copy()
    other_MC[np.arange(len(other_MC)), suggested_M] = -1.0
    top_MK = np.argpartition(-other_MC, num_kept - 1, axis=1)[:, :num_kept]
    falling_MK = np.argsort(-np.take_along_axis(other_MC, top_MK, axis=1), axis=1, kind="stable")
    return np.take_along_axis(top_MK, falling_MK, axis=1)
