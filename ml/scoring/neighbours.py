"""Which labels the most similar samples have (N samples, D features, C classes, K neighbours)."""

import numpy as np
from numpy.typing import NDArray

from ml.types import FloatArray, IntArray

NUM_NEIGHBOURS = 30
MAX_REFERENCES = 50_000
"""Samples that are looked among, drawn where there are more, so that cost grows with N, not N²."""
MAX_SIMILARITIES = 2**24
"""Similarities held at once: 64 MiB."""
MIN_NORM = 1e-12


def neighbour_label_shares(
    feature_ND: NDArray[np.floating], label_N: IntArray, *, num_classes: int
) -> FloatArray:
    """Return the shares of the labels among the nearest other samples, (N, C), rows sum to 1.

    Nearest by the cosine of what differs from the mean: features behind a ReLU all point the same
    way. One imagined sample, spread over all classes, keeps every share above zero.
    """
    num_samples = len(feature_ND)
    mean_D = feature_ND.mean(axis=0, dtype=np.float64).astype(np.float32)
    reference_R = np.sort(np.random.default_rng(0).permutation(num_samples)[:MAX_REFERENCES])
    reference_RD = _unit(feature_ND[reference_R], mean_D)
    num_neighbours = min(NUM_NEIGHBOURS, len(reference_R) - 1)
    count_NC = np.full((num_samples, num_classes), 1.0 / num_classes)
    num_rows = max(MAX_SIMILARITIES // len(reference_R), 1)
    for start in range(0, num_samples if num_neighbours else 0, num_rows):
        row_M = np.arange(start, min(start + num_rows, num_samples))
        similarity_MR = _unit(feature_ND[row_M], mean_D) @ reference_RD.T
        _leave_out_itself(similarity_MR, row_M, reference_R)
        nearest_MK = np.argpartition(-similarity_MR, num_neighbours - 1, axis=1)[:, :num_neighbours]
        np.add.at(count_NC, (row_M[:, None], label_N[reference_R[nearest_MK]]), 1.0)
    return np.asarray(count_NC / (num_neighbours + 1.0), dtype=np.float64)


def _unit(feature_MD: NDArray[np.floating], mean_D: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return what differs from the mean, with length 1."""
    centred_MD = feature_MD.astype(np.float32) - mean_D
    norm_M1 = np.maximum(np.linalg.norm(centred_MD, axis=1, keepdims=True), MIN_NORM)
    return np.asarray(centred_MD / norm_M1, dtype=np.float32)


def _leave_out_itself(
    similarity_MR: NDArray[np.float32], row_M: IntArray, reference_R: IntArray
) -> None:
    """Make a sample that is among the references nobody's own neighbour."""
    place_M = np.searchsorted(reference_R, row_M)
    is_reference_M = reference_R[np.minimum(place_M, len(reference_R) - 1)] == row_M
    similarity_MR[np.flatnonzero(is_reference_M), place_M[is_reference_M]] = -np.inf
