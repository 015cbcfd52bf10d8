"""Label noise inverted by Bayes: predictions are the prior, a noise matrix the likelihood.

N samples, C classes, S sharpnesses.
"""

from dataclasses import dataclass

import numpy as np
from scipy.special import softmax, xlogy

from ml.detection.inversion import invert, posterior_at
from ml.detection.mixing import unmixed_as_labels_ask
from ml.detection.sharpness import SHARPNESSES, look_at_clear, max_sharpness, tells_rate, weigh
from ml.detection.transition import count_given, distance_from_even, estimate_transition, even_noise
from ml.detection.unmixing import calibrate, find_clear, sharpen, typical_predictions, unmix
from ml.types import FloatArray, IntArray

FALLBACK_NOISE = 0.2
NUM_ROUNDS = 6
EVEN_DISTANCES = (0.25, 0.4)
"""Distances from even noise at which noise is taken for even, and for anything but that. Where it
was even and its rate told, fitted matrices had up to .22, by the errors of weak networks, and .36
where few labels were wrong; where it had any structure, .28 and more."""
MIN_EVEN_CLASSES = 4
"""Fewer have too few pairs: human noise among three classes is as even as any."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class NoiseModel:
    """A fitted noise matrix and what it says of each sample's true class."""

    transition: FloatArray
    """p(given | true), (C, C), rows sum to 1."""
    prediction: FloatArray
    """Calibrated prediction of the given label, (N, C), rows sum to 1."""
    true_class: FloatArray
    """Posterior of the true class, (N, C), rows sum to 1: the weighted mean over sharpnesses."""
    p_wrong: FloatArray
    """Probability that the given label is wrong, (S, N), for each sharpness, rising."""
    weight: FloatArray
    """How much each sharpness counts, (S,), sum 1."""
    is_noise_seen: bool
    """False where clear images agree with their labels: there may then be no noise at all."""
    fallback: str | None = None
    """Why the matrix was not fitted: a stable name, or None."""


def fit_noise_model(
    log_prob_NC: FloatArray,
    label_N: IntArray,
    neighbour_share_NC: FloatArray | None = None,
    *,
    saw_labels: bool = False,
    min_rate: float = 0.0,
) -> NoiseModel:
    """Fit the noise matrix and the posterior of the true class, without any true label.

    Args:
        log_prob_NC: Class log-probabilities of each sample, in nats, finite.
        label_N: Given labels.
        neighbour_share_NC: Shares of labels among the nearest other samples, where there are.
        saw_labels: Whether predictions and neighbours are of one network trained on the labels.
        min_rate: A noise rate that is likely reached, 0 to 1.

    Returns:
        The fitted model.
    """
    prob_NC, mean_log_likelihood = calibrate(log_prob_NC, label_N)
    if not _is_informative(mean_log_likelihood, label_N, prob_NC.shape[1]):
        return _unfitted(log_prob_NC, label_N)
    clear = look_at_clear(
        prob_NC, label_N, neighbour_share_NC, saw_labels=saw_labels, min_rate=min_rate
    )
    largest = max_sharpness(clear)
    unmixed_NC, transition_CC = _fit_at(prob_NC, label_N, sharpness=largest**0.5)
    evenness = _evenness(transition_CC, label_N)
    prior_NC = unmixed_as_labels_ask(
        prob_NC, unmixed_NC, transition_CC, label_N,
        prefer_raw=tells_rate(clear) and evenness == 1.0,
    )  # fmt: skip
    row_N = np.arange(len(label_N))
    p_wrong_SN = np.empty((len(SHARPNESSES), len(label_N)))
    for p_wrong_N, sharpness in zip(p_wrong_SN, SHARPNESSES.tolist(), strict=True):
        posterior_NC = posterior_at(prior_NC, transition_CC, label_N, sharpness=sharpness)
        p_wrong_N[:] = 1.0 - posterior_NC[row_N, label_N]
    weight_S = weigh(p_wrong_SN.mean(axis=1), clear, evenness=evenness)
    return NoiseModel(
        transition=transition_CC,
        prediction=prob_NC,
        true_class=_mean_posterior(prior_NC, transition_CC, label_N, weight_S),
        p_wrong=p_wrong_SN,
        weight=weight_S,
        is_noise_seen=largest > 1.0,
    )


def _mean_posterior(
    prior_NC: FloatArray, transition_CC: FloatArray, label_N: IntArray, weight_S: FloatArray
) -> FloatArray:
    """Return the posterior of the true class, averaged over the sharpnesses that count.

    Computed a second time rather than kept: few of them count, and all at once are large.
    """
    true_class_NC = np.zeros_like(prior_NC)
    for weight, sharpness in zip(weight_S.tolist(), SHARPNESSES.tolist(), strict=True):
        if weight > 0.0:
            posterior_NC = posterior_at(prior_NC, transition_CC, label_N, sharpness=sharpness)
            true_class_NC += weight * posterior_NC
    return true_class_NC


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
        true_class_NC = invert(sharpen(prior_NC, sharpness), transition_CC, label_N)
        transition_CC = estimate_transition(count_given(true_class_NC, label_N))
    return prior_NC, transition_CC


def _evenness(transition_CC: FloatArray, label_N: IntArray) -> float:
    """Return how far noise is taken for even, 0 to 1."""
    if len(transition_CC) < MIN_EVEN_CLASSES:
        return 0.0
    share_C = np.bincount(label_N, minlength=len(transition_CC)) / len(label_N)
    distance = distance_from_even(transition_CC, share_C)
    return float(np.interp(distance, EVEN_DISTANCES, (1.0, 0.0)))


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
    prediction_NC = softmax(log_prob_NC, axis=1)
    prior_NC = (prediction_NC + 1.0 / num_classes) / 2.0
    posterior_NC = invert(prior_NC, transition_CC, label_N)
    return NoiseModel(
        transition=transition_CC,
        prediction=prediction_NC,
        true_class=posterior_NC,
        p_wrong=1.0 - posterior_NC[np.arange(len(label_N)), label_N][None],
        weight=np.ones(1),
        is_noise_seen=False,
        fallback="uninformative_predictions",
    )
