"""Wrong labels from predicted probabilities, without any training.

N samples, C classes, D features.
"""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ml.detection.neighbours import find_neighbours
from ml.detection.verdict import Detection, judge
from ml.types import BoolArray, FloatArray, IntArray

MIN_PROBABILITY = 1e-8
"""Smallest probability; float16 ends at 6e-8."""
SUM_TOLERANCE = 5e-3
"""Probabilities stored as float16 miss 1 by up to 4e-4 with ten classes."""


def detect(
    pred_probs: ArrayLike, given_label: ArrayLike, features: ArrayLike | None = None
) -> Detection:
    """Find wrong labels by predictions that a network made without having seen the sample's label.

    The probability that a label is wrong is the mean over hypotheses of how much doubt is the
    network's own (`ml.detection.hypotheses`). No true label is involved. Samples may come in any
    order, classes be numbered in any way.

    Args:
        pred_probs: Probabilities of C classes for N samples, shape (N, C), rows sum to 1 within
            0.005. Best out of fold: a network that memorised the labels agrees with wrong ones.
        given_label: Labels to judge, shape (N,), integers in [0, C).
        features: Optional, shape (N, D): what the network sees in each sample. The labels of the
            30 nearest samples by cosine then count as much as the prediction. Costs N² D.

    Returns:
        The verdicts, in the order of the samples. A sample whose given label no other has is not
        judged: NaN, never flagged.

    Raises:
        ValueError: When a shape, number, row or label is wrong; says which row and why.
    """
    prob_NC = check_pred_probs(pred_probs)
    num_samples, num_classes = prob_NC.shape
    label_N = check_given_label(given_label, shape=(num_samples, num_classes))
    log_prob_NC = np.log(np.maximum(prob_NC, MIN_PROBABILITY, out=prob_NC), out=prob_NC)
    if features is not None:
        feature_ND = check_features(features, num_samples=num_samples)
        log_prob_NC += np.log(find_neighbours(feature_ND, label_N, num_classes=num_classes).share)
    return judge(log_prob_NC, label_N)


def check_pred_probs(pred_probs: ArrayLike) -> FloatArray:
    """Return the probabilities in float64, rows summing to 1, or raise `ValueError`."""
    given_NC = _numeric(pred_probs, "pred_probs")
    if given_NC.ndim != 2 or given_NC.shape[0] < 1 or given_NC.shape[1] < 2:
        raise ValueError(
            "pred_probs must have the shape (samples, classes) with at least one sample and two "
            f"classes, not {given_NC.shape}"
        )
    prob_NC = np.array(given_NC, dtype=np.float64)
    _refuse_rows(~np.isfinite(prob_NC), prob_NC, "pred_probs", "is not finite")
    _refuse_rows(prob_NC < 0.0, prob_NC, "pred_probs", "has a negative probability")
    total_N = prob_NC.sum(axis=1)
    wrong = np.flatnonzero(np.abs(total_N - 1.0) > SUM_TOLERANCE)
    if len(wrong):
        total = total_N[wrong[0]]
        raise ValueError(
            f"pred_probs: row {wrong[0]} sums to {total:.6g}, {abs(total - 1.0):.6g} "
            f"{'more' if total > 1.0 else 'less'} than 1 ({len(wrong)} such rows of {len(total_N)})"
        )
    prob_NC /= total_N[:, None]
    return prob_NC


def check_given_label(given_label: ArrayLike, *, shape: tuple[int, int]) -> IntArray:
    """Return the labels as int64, one for each row and a column each, or raise `ValueError`."""
    num_samples, num_classes = shape
    label_N = _numeric(given_label, "given_label")
    if label_N.shape != (num_samples,):
        raise ValueError(
            f"given_label must have the shape ({num_samples},), one label for each row of "
            f"pred_probs, not {label_N.shape}"
        )
    if not np.issubdtype(label_N.dtype, np.integer):
        raise ValueError(f"given_label must hold integers, not {label_N.dtype}")
    out = np.flatnonzero((label_N < 0) | (label_N >= num_classes))
    if len(out):
        raise ValueError(
            f"given_label: row {out[0]} is {label_N[out[0]]}, outside 0 to {num_classes - 1} "
            f"({len(out)} such rows of {num_samples})"
        )
    return label_N.astype(np.int64)


def check_features(features: ArrayLike, *, num_samples: int) -> NDArray[np.float32]:
    """Return finite features in float32, a row for each sample, or raise `ValueError`."""
    feature_ND = _numeric(features, "features")
    if feature_ND.ndim != 2 or feature_ND.shape[0] != num_samples or feature_ND.shape[1] < 1:
        raise ValueError(
            f"features must have the shape ({num_samples}, dimensions), not {feature_ND.shape}"
        )
    with np.errstate(over="ignore"):
        single_ND = feature_ND.astype(np.float32)
    _refuse_rows(~np.isfinite(single_ND), feature_ND, "features", "is not finite")
    return single_ND


def _numeric(values: ArrayLike, name: str) -> NDArray[Any]:
    """Return an array of real numbers; a ragged list and an array of objects are refused."""
    try:
        array = np.asarray(values)
    except ValueError as error:
        raise ValueError(f"{name} must be a rectangular array of numbers") from error
    if array.dtype.kind not in "iuf":
        raise ValueError(f"{name} must be an array of real numbers, not of {array.dtype}")
    return array


def _refuse_rows(is_wrong_NC: BoolArray, value_NC: NDArray[Any], name: str, reason: str) -> None:
    """Raise `ValueError` with the first row that holds something wrong."""
    wrong = np.unique(np.nonzero(is_wrong_NC)[0])
    if len(wrong):
        row = ", ".join(f"{value:.6g}" for value in value_NC[wrong[0]][:10])
        more = ", …" if value_NC.shape[1] > 10 else ""
        raise ValueError(
            f"{name}: row {wrong[0]} {reason}: [{row}{more}] "
            f"({len(wrong)} such rows of {len(value_NC)})"
        )
