"""What `ml.detect` is compared with (N samples, C classes)."""

import numpy as np
from cleanlab.filter import find_label_issues
from numpy.typing import NDArray

from ml.types import BoolArray, FloatArray, IntArray

OURS = "detect"
WAYS = {"argmax": "argmax", "confident_learning": "confident learning", OURS: "ours"}
"""Name in results, and title."""


def flags_of(
    prob_NC: NDArray[np.floating], given_N: IntArray, ours_N: BoolArray
) -> dict[str, BoolArray]:
    """Return the flags of every way.

    Args:
        prob_NC: Predictions.
        given_N: Labels to judge.
        ours_N: Our own flags.
    """
    return {
        "argmax": prob_NC.argmax(axis=1) != given_N,
        "confident_learning": confident_learning(prob_NC, given_N),
        OURS: ours_N,
    }


def confident_learning(prob_NC: NDArray[np.floating], given_N: IntArray) -> BoolArray:
    """Return the flags of cleanlab's filter as it comes: pruned by noise rate."""
    return np.asarray(find_label_issues(given_N, prob_NC, n_jobs=1), dtype=np.bool_)


def doubt(prob_NC: NDArray[np.floating], given_N: IntArray) -> FloatArray:
    """Return 1 less the predicted probability of the given label: what the other ways rank by."""
    return np.asarray(1.0 - prob_NC[np.arange(len(given_N)), given_N], dtype=np.float64)
