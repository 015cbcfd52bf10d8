"""Label noise inverted by Bayes: predictions are the prior, a noise matrix the likelihood.

N samples, C classes, S sharpnesses.
"""

from dataclasses import dataclass

import numpy as np
from scipy.special import softmax, xlogy

from ml.scoring.transition import count_given, estimate_transition, even_noise
from ml.scoring.unmixing import calibrate, find_clear, sharpen, typical_predictions, unmix
from ml.types import FloatArray, IntArray

FALLBACK_NOISE = 0.2
NUM_ROUNDS = 6
NUM_TRANSITION_STEPS = 6
MAX_SHARPNESS = 6.0
"""How far an ambiguous prediction may be taken for an ambiguous label.

At 1 all ambiguity is the network's own. Where people erred on the very images that are hard, it is
mostly theirs. The given labels cannot tell the two apart, so sharpness is integrated out.
"""
NUM_SHARPNESSES = 5
NOISE_SHARES = (0.05, 0.2)
"""Where clear images disagree with their labels less than the first share of how often all images
do, the labels are taken for right and ambiguity for the network's own; from the second share on,
ambiguity may be noise."""
MIN_LIKELIHOOD = 1e-300


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class NoiseModel:
    """A fitted noise matrix and what it says of each sample's true class."""

    transition: FloatArray
    """p(given | true), (C, C), rows sum to 1."""
    true_class: FloatArray
    """Posterior of the true class, (N, C), rows sum to 1: the mean over the sharpnesses."""
    p_wrong: FloatArray
    """Probability that the given label is wrong, (S, N), for each sharpness, rising."""
    is_noise_seen: bool
    """False where clear images agree with their labels: there may then be no noise at all."""
    fallback: str | None = None
    """Why the matrix was not fitted: a stable name, or None."""


def fit_noise_model(log_prob_NC: FloatArray, label_N: IntArray) -> NoiseModel:
    """Fit the noise matrix and the posterior of the true class, without any true label.

    Args:
        log_prob_NC: Class log-probabilities of each sample, in nats, finite.
        label_N: Given labels.

    Returns:
        The fitted model.
    """
    prob_NC, mean_log_likelihood = calibrate(log_prob_NC, label_N)
    if not _is_informative(mean_log_likelihood, label_N, prob_NC.shape[1]):
        return _unfitted(log_prob_NC, label_N)
    max_sharpness = _max_sharpness(prob_NC, label_N)
    sharpnesses = np.geomspace(1.0, max_sharpness, NUM_SHARPNESSES)
    middle = float(sharpnesses[NUM_SHARPNESSES // 2])
    prior_NC, transition_CC = _fit_at(prob_NC, label_N, sharpness=middle)
    row_N = np.arange(len(label_N))
    true_class_NC = np.zeros_like(prob_NC)
    p_wrong_SN = np.empty((NUM_SHARPNESSES, len(label_N)))
    for p_wrong_N, sharpness in zip(p_wrong_SN, sharpnesses, strict=True):
        posterior_NC = _posterior_at(prior_NC, transition_CC, label_N, sharpness=float(sharpness))
        p_wrong_N[:] = 1.0 - posterior_NC[row_N, label_N]
        true_class_NC += posterior_NC / NUM_SHARPNESSES
    return NoiseModel(
        transition=transition_CC,
        true_class=true_class_NC,
        p_wrong=p_wrong_SN,
        is_noise_seen=max_sharpness > 1.0,
    )


def _max_sharpness(prob_NC: FloatArray, label_N: IntArray) -> float:
    """Return up to which sharpness ambiguity may be noise: not at all where clear images agree."""
    differs_N = prob_NC.argmax(axis=1) != label_N
    if not differs_N.any():
        return 1.0
    share = float(differs_N[find_clear(prob_NC)].mean() / differs_N.mean())
    return float(np.interp(share, NOISE_SHARES, (1.0, MAX_SHARPNESS)))


def _fit_at(
    prob_NC: FloatArray, label_N: IntArray, *, sharpness: float
) -> tuple[FloatArray, FloatArray]:
    """Return the unmixed prediction of the true class, (N, C), and the noise matrix.

    Each needs the other: typical predictions and noise matrix are those of the true classes, the
    true classes those that unmixed predictions and noise matrix make probable.
    """
    prior_NC = prob_NC
    true_class_NC = np.eye(prob_NC.shape[1])[prob_NC.argmax(axis=1)]
    transition_CC = estimate_transition(count_given(true_class_NC, label_N))
    for _ in range(NUM_ROUNDS):
        typical_CC = typical_predictions(prob_NC, true_class_NC, find_clear(prior_NC))
        prior_NC = unmix(prob_NC, typical_CC)
        true_class_NC = _invert(sharpen(prior_NC, sharpness), transition_CC, label_N)
        transition_CC = estimate_transition(count_given(true_class_NC, label_N))
    return prior_NC, transition_CC


def _posterior_at(
    prior_NC: FloatArray, transition_CC: FloatArray, label_N: IntArray, *, sharpness: float
) -> FloatArray:
    """Return the posterior of the true class, with the noise matrix that fits this sharpness."""
    sharp_NC = sharpen(prior_NC, sharpness)
    for _ in range(NUM_TRANSITION_STEPS):
        posterior_NC = _invert(sharp_NC, transition_CC, label_N)
        transition_CC = estimate_transition(count_given(posterior_NC, label_N))
    return _invert(sharp_NC, transition_CC, label_N)


def _invert(prior_NC: FloatArray, transition_CC: FloatArray, label_N: IntArray) -> FloatArray:
    """Return the posterior of the true class by Bayes' rule."""
    joint_NC = prior_NC * transition_CC.T[label_N]
    joint_NC /= np.maximum(joint_NC.sum(axis=1, keepdims=True), MIN_LIKELIHOOD)
    return joint_NC


def _is_informative(mean_log_likelihood: float, label_N: IntArray, num_classes: int) -> bool:
    """Tell whether predictions explain the given labels better than the class sizes do.

    Where they do not, the most likely noise matrix calls nearly every label wrong.
    """
    share_C = np.bincount(label_N, minlength=num_classes) / len(label_N)
    entropy = -float(xlogy(share_C, share_C).sum())
    gain = mean_log_likelihood + entropy
    return bool(len(label_N) * gain > (num_classes - 1) * np.log(len(label_N)))


def _unfitted(log_prob_NC: FloatArray, label_N: IntArray) -> NoiseModel:
    """Return the model that assumes little, even noise and half trusts the predictions.

    It still ranks by the loss, but a given label stays more probable than not.
    """
    num_classes = log_prob_NC.shape[1]
    transition_CC = even_noise(num_classes, FALLBACK_NOISE)
    prior_NC = (softmax(log_prob_NC, axis=1) + 1.0 / num_classes) / 2.0
    posterior_NC = _invert(prior_NC, transition_CC, label_N)
    return NoiseModel(
        transition=transition_CC,
        true_class=posterior_NC,
        p_wrong=1.0 - posterior_NC[np.arange(len(label_N)), label_N][None],
        is_noise_seen=False,
        fallback="uninformative_predictions",
    )
