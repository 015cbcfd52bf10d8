"""Which labels the most similar samples have (N samples, D features, C classes, K neighbours)."""

import numpy as np
from numpy.typing import NDArray

from ml.types import FloatArray, IntArray

NUM_NEIGHBOURS = 30
MAX_SIMILARITIES = 2**24
"""Similarities held at once: 64 MiB."""
MIN_NORM = 1e-12


def neighbour_label_shares(
    feature_ND: NDArray[np.float32], label_N: IntArray, *, num_classes: int
) -> FloatArray:
    """Return the shares of the labels among the nearest other samples, (N, C), rows sum to 1.

    Nearest by cosine. One imagined sample, spread over all classes, keeps every share above zero.
    """
    norm_N1 = np.maximum(np.linalg.norm(feature_ND, axis=1, keepdims=True), MIN_NORM)
    unit_ND = feature_ND / norm_N1
    num_samples = len(unit_ND)
    num_neighbours = min(NUM_NEIGHBOURS, num_samples - 1)
    count_NC = np.full((num_samples, num_classes), 1.0 / num_classes)
    num_rows = max(MAX_SIMILARITIES // num_samples, 1)
    for start in range(0, num_samples if num_neighbours else 0, num_rows):
        similarity_MN = unit_ND[start : start + num_rows] @ unit_ND.T
        row_M = np.arange(len(similarity_MN))
        similarity_MN[row_M, start + row_M] = -np.inf
        nearest_MK = np.argpartition(-similarity_MN, num_neighbours - 1, axis=1)[:, :num_neighbours]
        np.add.at(count_NC, (start + row_M[:, None], label_N[nearest_MK]), 1.0)
    return np.asarray(count_NC / (num_neighbours + 1.0), dtype=np.float64)
