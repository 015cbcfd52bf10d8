"""Signals for and against each given label; each signal can be switched off.

N samples, D features, C classes.
"""

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax

from ml.detection.neighbours import find_neighbours, unit
from ml.training.checkpoint import TrainState
from ml.types import FloatArray, IntArray

DECISIVE = ("prediction", "neighbour_agreement")
"""Signals that tell the class of a sample; one of them is needed. The other signals follow from the
losses of the given label alone."""
NEIGHBOUR_WEIGHT = 0.25
"""Weight of the neighbours' log shares; the prediction weighs 1. Neighbours and prediction come
from the same features, so they are far from independent. On 4,000 CIFAR-10 images ROC-AUC at 0, .25
and .5 is .917, .917, .916 with the labels that people got wrong and .971, .973, .972 with 20 %
planted."""
UNSEEN_WEIGHT = 0.5
"""Weight of the log-probabilities that did not see the label; those of the head have the rest. At
0, .5 and 1: F1 .437, .475, .465 on handwritten Roman numerals, .556, .551, .516 on CIFAR-10 labels
of people (docs/decisions/0012)."""
RIDGES = np.geomspace(0.1, 10.0, 5)
"""Penalties λ that are tried, for features of length 1."""
MAX_LOG_SCALE = 5.0
"""Scores are multiplied by the factor from exp(-1) to exp(5) that explains the labels best."""


SIGNALS = {
    "prediction": "probability of the given label by the averaged network, over views and epochs",
    "neighbour_agreement": "share of the 30 most similar samples with the same given label",
    "posterior": "probability of the noisy component of the mixture of losses",
    "mean_loss": "loss of the given label, averaged over the epochs, in nats",
    "disagreement": "share of the epochs that predicted another class",
    "margin": "how far the given label's logit is above the best other one, mean over the epochs",
}
"""Measured of every sample; each can be switched off."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Evidence:
    """Class probabilities and signals of each sample, without any true label."""

    log_prob: FloatArray
    """Class log-probabilities from all signals, (N, C), in nats; not normalised."""
    signals: dict[str, FloatArray]
    """Those of `SIGNALS` that are on, and `duplicate` where neighbours are; each (N,)."""


def check_signals(names: Collection[str]) -> None:
    """Check that all signals are known and that one of them tells the class of a sample.

    Raises:
        ValueError: When a signal is unknown, or no signal tells the class of a sample.
    """
    unknown = sorted(set(names) - SIGNALS.keys())
    if unknown:
        raise ValueError(f"unknown signal {unknown[0]!r}; known: {', '.join(SIGNALS)}")
    if not set(names) & set(DECISIVE):
        raise ValueError(f"labels are judged by one of these signals: {', '.join(DECISIVE)}")


def gather(
    state: TrainState,
    label_N: IntArray,
    feature_ND: NDArray[np.floating] | None,
    *,
    names: Collection[str],
) -> Evidence:
    """Return what a training recorded of each sample, for the signals in `names`.

    Args:
        state: A training after its last epoch.
        label_N: Given labels.
        feature_ND: Features of each sample, where they are known.
        names: Signals to use, of `SIGNALS`.

    Raises:
        ValueError: When no signal tells the class, or features are not as many as labels.
    """
    check_signals(names)
    measured = _measured(state, label_N)
    signals = {name: measured[name] for name in measured if name in names}
    log_prob_NC = state.history.mean_log_prob.double().numpy()
    if feature_ND is None or "neighbour_agreement" not in names:
        if "prediction" not in names:
            raise ValueError("there are no features to find neighbours by")
        return Evidence(log_prob=log_prob_NC, signals=signals)
    if len(feature_ND) != len(label_N):
        raise ValueError(f"features of {len(label_N)} samples needed, not {len(feature_ND)}")
    found = find_neighbours(feature_ND, label_N, num_classes=state.data.num_classes)
    signals["neighbour_agreement"] = found.share[np.arange(len(label_N)), label_N]
    signals["duplicate"] = found.closeness
    joined_NC = np.log(found.share)
    if "prediction" in names:
        joined_NC = log_prob_NC + NEIGHBOUR_WEIGHT * joined_NC
        if state.config.frozen:
            unseen_NC = leave_one_out_log_prob(
                feature_ND, label_N, num_classes=state.data.num_classes
            )
            joined_NC += UNSEEN_WEIGHT * (unseen_NC - log_prob_NC)
    return Evidence(log_prob=joined_NC, signals=signals)


def _measured(state: TrainState, label_N: IntArray) -> dict[str, FloatArray]:
    """Return the signals that need no features."""
    history, num_epochs = state.history, max(int(state.history.num_epochs), 1)
    posterior_N = np.zeros(state.data.num_samples)
    if state.mixture is not None:
        posterior_N = state.mixture.posterior(state.mixture_losses.numpy())
    log_prob_NC = history.mean_log_prob.double().numpy()
    total_N = np.logaddexp.reduce(log_prob_NC, axis=1)
    return {
        "prediction": np.exp(log_prob_NC[np.arange(len(label_N)), label_N] - total_N),
        "posterior": posterior_N,
        "mean_loss": history.mean_loss.double().numpy(),
        "disagreement": history.disagreement.double().numpy() / num_epochs,
        "margin": history.mean_margin.double().numpy(),
    }


def leave_one_out_log_prob(
    feature_ND: NDArray[np.floating], label_N: IntArray, *, num_classes: int
) -> FloatArray:
    """Return class log-probabilities of each sample by a linear head fitted to all the others.

    Ridge regression on the one-hot labels has its leave-one-out residuals in closed form,
    e_i / (1 - h_i) with the hat matrix's diagonal h (Hastie, Tibshirani and Friedman, The Elements
    of Statistical Learning, section 7.10): no folds, no randomness, one eigendecomposition. A scale
    turns the scores into log-probabilities. Scale and penalty are those that explain the given
    labels best. Costs N D² + D³.

    Args:
        feature_ND: Features of a network that saw none of the labels.
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
    """Return log-probabilities at the likeliest scale, and the mean log-likelihood in nats."""
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
