"""What a network thinks of the true class, from what it predicts of the given label.

N samples, M of them in a chunk, C classes.
"""

from collections.abc import Iterator

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import logsumexp, softmax

from ml.detection.transition import even_noise
from ml.types import BoolArray, FloatArray, IntArray

MAX_LOG_TEMPERATURE = 3.0
NUM_UNMIXING_STEPS = 50
"""Ten are too few where the predictions are flat, as under 80 % noise; a hundred change nothing."""
CHUNK_ENTRIES = 2**19
CLEAR_SHARE = 0.25
"""Share of each class, its most confident predictions, that is taken for clear images."""
TIE = 1e-9
"""Confidences this near to each other differ by rounding: many are 1 but for that."""
START_NOISE = 0.2
MIN_MIXED = 1e-12


def calibrate(log_prob_NC: FloatArray, label_N: IntArray) -> tuple[FloatArray, float]:
    """Return the probabilities at the temperature that explains the given labels best.

    Guo et al., On Calibration of Modern Neural Networks, ICML 2017, section 4.2.

    Returns:
        Probabilities of the given label, (N, C), and their mean log-likelihood in nats.
    """
    given_N = log_prob_NC[np.arange(len(label_N)), label_N]

    def negative_log_likelihood(log_temperature: float) -> float:
        factor = np.exp(-log_temperature)
        total = sum(logsumexp(factor * part, axis=1).sum() for part in _chunks(log_prob_NC))
        return float(total - factor * given_N.sum()) / len(label_N)

    best = minimize_scalar(
        negative_log_likelihood,
        bounds=(-MAX_LOG_TEMPERATURE, MAX_LOG_TEMPERATURE),
        method="bounded",
        options={"xatol": 1e-3},
    )
    prob_NC = np.empty_like(log_prob_NC)
    for part_MC, out_MC in zip(_chunks(log_prob_NC), _chunks(prob_NC), strict=True):
        out_MC[:] = softmax(part_MC * np.exp(-best.x), axis=1)
    return prob_NC, -float(best.fun)


def find_clear(prob_NC: FloatArray) -> BoolArray:
    """Tell which samples are among the most confident predictions of their class."""
    predicted_N, confidence_N = prob_NC.argmax(axis=1), prob_NC.max(axis=1)
    is_clear_N = np.zeros(len(prob_NC), dtype=np.bool_)
    for label in np.unique(predicted_N):
        member_K = np.flatnonzero(predicted_N == label)
        least = np.quantile(confidence_N[member_K], 1.0 - CLEAR_SHARE)
        is_clear_N[member_K] = confidence_N[member_K] >= least - TIE
    return is_clear_N


def typical_predictions(
    prob_NC: FloatArray, true_class_NC: FloatArray, is_clear_N: BoolArray
) -> FloatArray:
    """Return what is predicted on average for clear samples of each true class, (C, C)."""
    weight_KC, prob_KC = true_class_NC[is_clear_N], prob_NC[is_clear_N]
    # One imagined sample for each class, for classes of which no sample is clear.
    total_CC = weight_KC.T @ prob_KC + even_noise(prob_NC.shape[1], START_NOISE)
    return np.asarray(total_CC / total_CC.sum(axis=1, keepdims=True), dtype=np.float64)


def unmix(prob_NC: FloatArray, typical_CC: FloatArray) -> FloatArray:
    """Return the shares of typical predictions that mix to each prediction most nearly.

    Nearest by Kullback-Leibler divergence, which EM lowers in every step (Richardson 1972, Lucy
    1974). A network that saw noisy labels predicts the noise too: for a clear image of class k its
    prediction is row k of `typical_CC`, and here becomes class k for sure.
    """
    share_NC = np.empty_like(prob_NC)
    for prob_MC, out_MC in zip(_chunks(prob_NC), _chunks(share_NC), strict=True):
        share_MC = np.full_like(prob_MC, 1.0 / prob_MC.shape[1])
        for _ in range(NUM_UNMIXING_STEPS):
            mixed_MC = np.maximum(share_MC @ typical_CC, MIN_MIXED)
            share_MC *= (prob_MC / mixed_MC) @ typical_CC.T
        out_MC[:] = share_MC / share_MC.sum(axis=1, keepdims=True)
    return share_NC


def sharpen(prob_NC: FloatArray, sharpness: float) -> FloatArray:
    """Return probabilities to a power, normalised again."""
    power_NC = prob_NC**sharpness
    power_NC /= power_NC.sum(axis=1, keepdims=True)
    return power_NC


def _chunks(array_NC: FloatArray) -> Iterator[FloatArray]:
    """Yield views of a bounded number of rows, so that temporary arrays stay small."""
    num_rows = max(CHUNK_ENTRIES // array_NC.shape[1], 1)
    for start in range(0, len(array_NC), num_rows):
        yield array_NC[start : start + num_rows]
