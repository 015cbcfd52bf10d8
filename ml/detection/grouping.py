"""The rows of each class (N samples)."""

import numpy as np

from ml.types import BoolArray, IntArray


def rows_by_class(label_N: IntArray, counts_N: BoolArray) -> dict[int, IntArray]:
    """Return for each class the numbers of its samples that count, rising; one pass for all."""
    chosen_M = np.flatnonzero(counts_N)
    sorted_M = chosen_M[np.argsort(label_N[chosen_M], kind="stable")]
    label_C, start_C = np.unique(label_N[sorted_M], return_index=True)
    return dict(zip(label_C.tolist(), np.split(sorted_M, start_C[1:]), strict=False))
