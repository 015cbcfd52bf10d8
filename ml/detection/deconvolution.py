"""What a network thinks of the true class, from what it predicts of the given label.

N samples, K candidates, C classes; for data whose candidates are all of the classes (K = C).
"""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from ml.detection.candidates import Candidates
from ml.types import BoolArray, FloatArray, IntArray

NUM_STEPS = 50
"""Of Richardson and Lucy. Ten are too few where the predictions are flat, as under 80 % noise; a
hundred change nothing."""
CONFIDENT_SHARE = 0.25
"""Share of each predicted class, its most confident predictions, that makes the confident subset
(convention)."""
TIE = 1e-9
"""Confidences this near to each other differ by rounding."""
PSEUDO_NOISE = 0.2
"""Noise of the one imagined sample of each class, for classes without a confident one."""
MIN_MIXED = 1e-12
CHUNK_ENTRIES = 2**19


def confident_subset(candidates: Candidates) -> BoolArray:
    """Tell which samples are among the most confident predictions of their predicted class."""
    best_N = candidates.prob.argmax(axis=1)
    row_N = np.arange(len(best_N))
    predicted_N, confidence_N = candidates.label[row_N, best_N], candidates.prob[row_N, best_N]
    is_confident_N = np.zeros(len(best_N), dtype=np.bool_)
    order_N = np.argsort(predicted_N, kind="stable")
    for member_M in np.split(order_N, np.flatnonzero(np.diff(predicted_N[order_N])) + 1):
        least = np.quantile(confidence_N[member_M], 1.0 - CONFIDENT_SHARE)
        is_confident_N[member_M] = confidence_N[member_M] >= least - TIE
    return is_confident_N


def anchor_predictions(
    prob_NC: FloatArray, true_class_NC: FloatArray, is_confident_N: BoolArray
) -> FloatArray:
    """Return what is predicted on average for confident samples of each true class, (C, C)."""
    num_classes = prob_NC.shape[1]
    total_CC = true_class_NC[is_confident_N].T @ prob_NC[is_confident_N]
    total_CC += PSEUDO_NOISE / max(num_classes - 1, 1)
    np.fill_diagonal(total_CC, total_CC.diagonal() + 1.0 - PSEUDO_NOISE)
    return np.asarray(total_CC / total_CC.sum(axis=1, keepdims=True), dtype=np.float64)


def deconvolve(candidates: Candidates, true_class_NK: FloatArray, prior: Candidates) -> Candidates:
    """Return the shares of anchor predictions that mix to each prediction most nearly.

    Nearest by Kullback-Leibler divergence, which EM lowers in every step (Richardson 1972, Lucy
    1974). A network that saw noisy labels predicts the noise too: for a confident image of class k
    its prediction is the anchor of k, and here becomes class k for sure.

    Args:
        candidates: Calibrated predictions of the given label.
        true_class_NK: Posterior of the true class, which weighs the anchors.
        prior: Predictions whose confident subset makes the anchors.
    """
    prob_NC = _by_class(candidates.label, candidates.prob)
    true_class_NC = _by_class(candidates.label, true_class_NK)
    anchor_CC = anchor_predictions(prob_NC, true_class_NC, confident_subset(prior))
    share_NC = np.empty_like(prob_NC)
    for prob_MC, out_MC in zip(_chunks(prob_NC), _chunks(share_NC), strict=True):
        share_MC = np.full_like(prob_MC, 1.0 / prob_MC.shape[1])
        for _ in range(NUM_STEPS):
            mixed_MC = np.maximum(share_MC @ anchor_CC, MIN_MIXED)
            share_MC *= (prob_MC / mixed_MC) @ anchor_CC.T
        out_MC[:] = share_MC / share_MC.sum(axis=1, keepdims=True)
    return replace(candidates, prob=np.take_along_axis(share_NC, candidates.label, axis=1))


def _by_class(label_NC: IntArray, value_NC: FloatArray) -> FloatArray:
    """Return values in the order of the classes."""
    ordered_NC = np.empty_like(value_NC)
    np.put_along_axis(ordered_NC, label_NC, value_NC, axis=1)
    return ordered_NC


def _chunks(array_NC: FloatArray) -> Iterator[FloatArray]:
    """Yield views of a bounded number of rows, so that temporary arrays stay small."""
    num_rows = max(CHUNK_ENTRIES // array_NC.shape[1], 1)
    for start in range(0, len(array_NC), num_rows):
        yield array_NC[start : start + num_rows]
