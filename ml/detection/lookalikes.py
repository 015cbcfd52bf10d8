"""The samples of a class that are most like each one (N samples, D features, K nearest)."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ml.detection.grouping import rows_by_class
from ml.detection.neighbours import MAX_SIMILARITIES, unit
from ml.types import BoolArray, IntArray

NOBODY = -1
"""In place of a sample, or of a class."""
MAX_OF_CLASS = 5_000
"""Samples of a class that are looked among, drawn where there are more, so that cost grows with N
alone: a tenth of what `find_neighbours` costs."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Lookalikes:
    """Of each sample, those that are most like it, the nearest first; both arrays are (N, K)."""

    index: NDArray[np.int32]
    """Numbers of samples; `NOBODY` where there are fewer than K."""
    similarity: NDArray[np.float32]
    """Cosine of what differs from the mean, -1 to 1; NaN where there is nobody."""


def find_lookalikes(
    feature_ND: NDArray[np.floating],
    wanted_N: IntArray,
    *,
    label_N: IntArray,
    may_show_N: BoolArray,
    num_nearest: int = 4,
) -> Lookalikes:
    """Return the most similar samples of a class, for each sample of the class it wants.

    Works in blocks: beside its result it holds 64 MiB and the features of one class.

    Args:
        feature_ND: What a network sees in each sample; may be a memory map.
        wanted_N: The class to look in, or `NOBODY`.
        label_N: Labels of the samples that are looked among.
        may_show_N: Which of them may be found.
        num_nearest: K.

    Returns:
        The nearest by the cosine of what differs from the mean, never a sample itself.
    """
    num_samples = len(feature_ND)
    found = Lookalikes(
        index=np.full((num_samples, num_nearest), NOBODY, dtype=np.int32),
        similarity=np.full((num_samples, num_nearest), np.nan, dtype=np.float32),
    )
    mean_D = feature_ND.mean(axis=0, dtype=np.float64).astype(np.float32)
    rng = np.random.default_rng(0)
    asking = rows_by_class(wanted_N, wanted_N != NOBODY)
    for label, member_R in rows_by_class(label_N, may_show_N).items():
        if label in asking:
            shown_R = np.sort(rng.permutation(member_R)[:MAX_OF_CLASS])
            _find_in_class(feature_ND, mean_D, asking[label], shown_R, found)
    return found


def _find_in_class(
    feature_ND: NDArray[np.floating],
    mean_D: NDArray[np.float32],
    asking_N: IntArray,
    member_R: IntArray,
    found: Lookalikes,
) -> None:
    """Fill in the rows of those that ask for one class."""
    member_RD = unit(feature_ND[member_R], mean_D)
    num_shown = min(found.index.shape[1], len(member_R))
    num_rows = max(MAX_SIMILARITIES // max(len(member_R), feature_ND.shape[1]), 1)
    for start in range(0, len(asking_N), num_rows):
        row_M = asking_N[start : start + num_rows]
        similarity_MR = unit(feature_ND[row_M], mean_D) @ member_RD.T
        similarity_MR[row_M[:, None] == member_R] = -np.inf
        nearest_MK = np.argpartition(-similarity_MR, num_shown - 1, axis=1)[:, :num_shown]
        value_MK = np.take_along_axis(similarity_MR, nearest_MK, axis=1)
        order_MK = np.argsort(-value_MK, axis=1, kind="stable")
        value_MK = np.take_along_axis(value_MK, order_MK, axis=1)
        index_MK = member_R[np.take_along_axis(nearest_MK, order_MK, axis=1)]
        is_other_MK = np.isfinite(value_MK)
        found.index[row_M, :num_shown] = np.where(is_other_MK, index_MK, NOBODY)
        found.similarity[row_M, :num_shown] = np.where(is_other_MK, value_MK, np.nan)
