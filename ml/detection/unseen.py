"""Predictions that did not see the label: a linear head, each sample left out once.

N samples, D features, C classes.
"""

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax

from ml.detection.neighbours import unit
from ml.types import FloatArray, IntArray

RIDGES = np.geomspace(0.1, 10.0, 5)
"""Penalties λ among which the best is taken, for features of length 1."""
MAX_LOG_SCALE = 5.0
"""Scores are multiplied by exp(-1) to exp(5), whichever explains the labels best."""


def leave_one_out_log_prob(
    feature_ND: NDArray[np.floating], label_N: IntArray, *, num_classes: int
) -> FloatArray:
    """Return class log-probabilities of each sample by a linear head fitted to all the others.

    Ridge regression on the one-hot labels has its leave-one-out residuals in closed form,
    e_i / (1 - h_i) with the hat matrix's diagonal h (Hastie, Tibshirani and Friedman, The Elements
    of Statistical Learning, section 7.10): no folds, no randomness, one eigendecomposition. A scale
    turns the scores into the log-probabilities that explain the given labels best; of the
    penalties, the one whose log-probabilities do so is taken. Costs N D² + D³.

    Args:
        feature_ND: What a network sees that saw none of the labels.
        label_N: Given labels.
        num_classes: C.
    """
    mean_D = feature_ND.mean(axis=0, dtype=np.float64).astype(np.float32)
    unit_ND = unit(feature_ND, mean_D)
    unit_ND -= unit_ND.mean(axis=0)
    target_NC = np.eye(num_classes, dtype=np.float32)[label_N]
    share_C = target_NC.mean(axis=0)
    target_NC -= share_C
    eigenvalue_D, vector_DD = np.linalg.eigh((unit_ND.T @ unit_ND).astype(np.float64))
    rotated_ND = unit_ND @ vector_DD.astype(np.float32)
    fits = (
        _scaled(share_C + _left_out(rotated_ND, target_NC, eigenvalue_D, ridge), label_N)
        for ridge in RIDGES.tolist()
    )
    return max(fits, key=lambda fit: fit[1])[0]


def _left_out(
    rotated_ND: NDArray[np.float32],
    target_NC: NDArray[np.float32],
    eigenvalue_D: FloatArray,
    ridge: float,
) -> FloatArray:
    """Return the score of each sample by the regression on all others, (N, C)."""
    inverse_D = (1.0 / (np.maximum(eigenvalue_D, 0.0) + ridge)).astype(np.float32)
    fitted_NC = rotated_ND @ (inverse_D[:, None] * (rotated_ND.T @ target_NC))
    leverage_N = (rotated_ND**2) @ inverse_D + 1.0 / len(rotated_ND)
    residual_NC = (target_NC - fitted_NC) / np.maximum(1.0 - leverage_N, 1e-3)[:, None]
    return np.asarray(target_NC - residual_NC, dtype=np.float64)


def _scaled(score_NC: FloatArray, label_N: IntArray) -> tuple[FloatArray, float]:
    """Return log-probabilities at the scale of greatest likelihood, and that, mean in nats."""
    row_N = np.arange(len(label_N))

    def negative_log_likelihood(log_scale: float) -> float:
        log_prob_NC = log_softmax(np.exp(log_scale) * score_NC, axis=1)
        return -float(log_prob_NC[row_N, label_N].mean())

    best = minimize_scalar(
        negative_log_likelihood,
        bounds=(-1.0, MAX_LOG_SCALE),
        method="bounded",
        options={"xatol": 1e-2},
    )
    return log_softmax(np.exp(best.x) * score_NC, axis=1), -float(best.fun)
