"""The most similar samples: which labels they have, and which of a class to show beside a sample.

N samples, D features, C classes, K nearest.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ml.types import BoolArray, FloatArray, IntArray

NUM_NEIGHBOURS = 30
MAX_REFERENCES = 50_000
"""Samples that neighbours are searched among; of more samples so many are drawn, so that cost grows
with N, not N²."""
MAX_SIMILARITIES = 2**24
"""Similarities in memory at once: 64 MiB."""
MIN_NORM = 1e-12
NUM_COMPARED = 10
"""The nearest is compared with the nine after it."""
NOBODY = -1
"""Stands for no sample, or for no class."""
MAX_OF_CLASS = 5_000
"""Samples of a class that lookalikes are searched among; of a larger class so many are drawn. The
cost then grows with N alone: a tenth of the cost of `find_neighbours`."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Neighbours:
    """Label shares and closeness of the samples nearest to each sample."""

    share: FloatArray
    """Share of each label among the nearest other samples, (N, C), rows sum to 1. One imagined
    sample, spread over all classes, keeps every share above zero."""
    closeness: FloatArray
    """Cosine of the nearest sample less the mean cosine of the nine after it, (N,), 0 to 1: near 1
    where a picture has one copy and no other similar picture."""


def find_neighbours(
    feature_ND: NDArray[np.floating], label_N: IntArray, *, num_classes: int
) -> Neighbours:
    """Return the label shares and the closeness of the nearest other samples.

    Samples are near by the cosine of their features less the mean feature: features after a ReLU
    all point in about the same direction.
    """
    num_samples = len(feature_ND)
    mean_D = feature_ND.mean(axis=0, dtype=np.float64).astype(np.float32)
    reference_R = np.sort(np.random.default_rng(0).permutation(num_samples)[:MAX_REFERENCES])
    reference_RD = unit(feature_ND[reference_R], mean_D)
    num_neighbours = min(NUM_NEIGHBOURS, len(reference_R) - 1)
    count_NC = np.full((num_samples, num_classes), 1.0 / num_classes)
    closeness_N = np.zeros(num_samples)
    num_rows = max(MAX_SIMILARITIES // len(reference_R), 1)
    for start in range(0, num_samples if num_neighbours else 0, num_rows):
        row_M = np.arange(start, min(start + num_rows, num_samples))
        similarity_MR = unit(feature_ND[row_M], mean_D) @ reference_RD.T
        _leave_out_itself(similarity_MR, row_M, reference_R)
        nearest_MK = np.argpartition(-similarity_MR, num_neighbours - 1, axis=1)[:, :num_neighbours]
        np.add.at(count_NC, (row_M[:, None], label_N[reference_R[nearest_MK]]), 1.0)
        closeness_N[row_M] = _closeness(np.take_along_axis(similarity_MR, nearest_MK, axis=1))
    return Neighbours(share=count_NC / (num_neighbours + 1.0), closeness=closeness_N)


def _closeness(similarity_MK: NDArray[np.float32]) -> FloatArray:
    """Return by how much the greatest similarity exceeds the mean of the nine after it."""
    falling_MK = -np.sort(-similarity_MK, axis=1)[:, :NUM_COMPARED]
    if falling_MK.shape[1] == 1:
        return np.zeros(len(falling_MK))
    excess_M = falling_MK[:, 0] - falling_MK[:, 1:].mean(axis=1)
    return np.asarray(np.clip(excess_M, 0.0, 1.0), dtype=np.float64)


def unit(feature_MD: NDArray[np.floating], mean_D: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the features less their mean, scaled to length 1."""
    centred_MD = feature_MD.astype(np.float32) - mean_D
    norm_M1 = np.maximum(np.linalg.norm(centred_MD, axis=1, keepdims=True), MIN_NORM)
    return np.asarray(centred_MD / norm_M1, dtype=np.float32)


def _leave_out_itself(
    similarity_MR: NDArray[np.float32], row_M: IntArray, reference_R: IntArray
) -> None:
    """Exclude each sample from its own neighbours."""
    place_M = np.searchsorted(reference_R, row_M)
    is_reference_M = reference_R[np.minimum(place_M, len(reference_R) - 1)] == row_M
    similarity_MR[np.flatnonzero(is_reference_M), place_M[is_reference_M]] = -np.inf


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Lookalikes:
    """The most similar samples of each sample, the nearest first; both arrays are (N, K)."""

    index: NDArray[np.int32]
    """Numbers of samples; `NOBODY` where there are fewer than K."""
    similarity: NDArray[np.float32]
    """Cosine of the features less their mean, -1 to 1; NaN where `index` is `NOBODY`."""


def find_lookalikes(
    feature_ND: NDArray[np.floating],
    wanted_N: IntArray,
    *,
    label_N: IntArray,
    may_show_N: BoolArray,
    num_nearest: int = 4,
) -> Lookalikes:
    """Return for each sample the most similar samples of the class that is wanted for it.

    Works in blocks: beside its result it holds 64 MiB and the features of one class.

    Args:
        feature_ND: What a network sees in each sample; may be a memory map.
        wanted_N: The class to look in, or `NOBODY`.
        label_N: Labels of the samples.
        may_show_N: Which samples may be found.
        num_nearest: K.

    Returns:
        The nearest samples by the cosine of the features less their mean, never a sample itself.
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
    """Fill in the rows of the samples that want one class."""
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


def rows_by_class(label_N: IntArray, counts_N: BoolArray) -> dict[int, IntArray]:
    """Return for each class the numbers of its samples that count, rising; one pass for all."""
    chosen_M = np.flatnonzero(counts_N)
    sorted_M = chosen_M[np.argsort(label_N[chosen_M], kind="stable")]
    label_C, start_C = np.unique(label_N[sorted_M], return_index=True)
    return dict(zip(label_C.tolist(), np.split(sorted_M, start_C[1:]), strict=False))
