"""Hypotheses on how much doubt is the network's own and how much is the annotators'.

N samples, K candidates, H hypotheses. On a hard image the network is unsure, and people err, too.
Predictions alone cannot tell how much of the doubt is the network's own. A hypothesis h is a
temperature T of the prior of the true class and a family of noise transition matrices. T = 1: all
doubt is the network's. T near 0: no doubt is the network's, so that every disagreement is a wrong
label. Where a network may have learned too little, half of the hypotheses deconvolve its flat
predictions, as repeating learned noise; the other half take the predictions as those of a weak
network.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import xlogy

from ml.detection.candidates import Candidates, calibrate, deconvolve
from ml.detection.transition import EvenNoise, StructuredNoise, TrueClass
from ml.types import FloatArray, IntArray

TEMPERATURES = np.linspace(1.0, 0.25, 12) ** 2
"""The grid of T, even in its square root: between a prior that is flat in T and one that is flat in
log T (convention). Colder than 1 / 16 the posteriors hardly change. Weights are equal: likelihoods
of the confident subset were not better on data sets of people's errors (docs/decisions/0011)."""
FITTING_TEMPERATURE = 0.25
"""T at which anchors and noise matrix are fitted: near the geometric middle of the grid."""
NUM_ROUNDS = 6
"""Rounds of fitting anchors and posterior of the true class in turn; six settle both."""
FALLBACK_NOISE = 0.2
"""Even noise that is assumed where nothing can be fitted (convention); it only ranks samples."""
UNINFORMATIVE = "uninformative_predictions"
"""Fallback: no rate and no quality is stated."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Hypotheses:
    """Probabilities of N labels under each hypothesis; each has the prior weight 1 / H."""

    prediction: Candidates
    """Calibrated prediction of the given label."""
    true_class: TrueClass
    """Posterior of the true class, the mean over the hypotheses."""
    p_wrong: NDArray[np.float32]
    """Probability that the given label is wrong, (H, N)."""
    fallback: str | None = None
    """Stable name of the reason why nothing was fitted, or None."""


def fit_hypotheses(candidates: Candidates, *, may_underfit: bool = False) -> Hypotheses:
    """Return the probabilities under every hypothesis, without any true label.

    For each h: the deconvolved prediction to the power 1 / T is the prior of the true class, a
    noise matrix fitted to the given labels by EM the likelihood; Bayes' rule gives p_h(i), the
    probability that label i is wrong (Dawid and Skene 1979; Patrini et al., CVPR 2017, section 3).

    Args:
        candidates: Predictions, uncalibrated.
        may_underfit: Whether half of the hypotheses take the prediction as it is.
    """
    prediction, mean_log_likelihood = calibrate(candidates)
    if not _is_informative(mean_log_likelihood, prediction):
        return _unfitted(candidates)
    structured = StructuredNoise(prediction)
    deconvolved, true_class = _fit_prior(prediction, structured)
    priors = [deconvolved, prediction] if may_underfit else [deconvolved]
    p_wrong_HN = np.empty((len(priors) * len(TEMPERATURES) * 2, len(prediction.rest)), np.float32)
    mean = TrueClass(prob=np.zeros_like(prediction.prob), rest=np.zeros_like(prediction.rest))
    for p_wrong_N, posterior in zip(
        p_wrong_HN, _posteriors(priors, structured, true_class), strict=True
    ):
        p_wrong_N[:] = posterior.p_wrong
        mean.prob[:] += posterior.prob / len(p_wrong_HN)
        mean.rest[:] += posterior.rest / len(p_wrong_HN)
    return Hypotheses(prediction=prediction, true_class=mean, p_wrong=p_wrong_HN)


def _posteriors(
    priors: list[Candidates], structured: StructuredNoise, start: TrueClass
) -> Iterator[TrueClass]:
    """Yield the posterior of the true class under each hypothesis."""
    even = EvenNoise()
    for prior in priors:
        for temperature in TEMPERATURES.tolist():
            tempered = prior.at_temperature(temperature)
            yield even.posterior(tempered)
            yield structured.posterior(tempered, start=start)


def _fit_prior(prediction: Candidates, structured: StructuredNoise) -> tuple[Candidates, TrueClass]:
    """Return the deconvolved prediction, and the posterior at the middle of the grid.

    With more classes than candidates there are no anchors, and the prediction stays as it is.
    """
    prior, true_class = prediction, _most_probable(prediction)
    for _ in range(NUM_ROUNDS):
        if prediction.num_others == 0:
            prior = deconvolve(prediction, true_class.prob, prior)
        structured.fit_strength(true_class)
        true_class = structured.step(prior.at_temperature(FITTING_TEMPERATURE), true_class)
    return prior, true_class


def _most_probable(prediction: Candidates) -> TrueClass:
    """Return the posterior that is sure of the predicted class."""
    is_best_NK = np.zeros_like(prediction.prob)
    np.put_along_axis(is_best_NK, prediction.prob.argmax(axis=1)[:, None], 1.0, axis=1)
    return TrueClass(prob=is_best_NK, rest=np.zeros_like(prediction.rest))


def _is_informative(mean_log_likelihood: float, prediction: Candidates) -> bool:
    """Tell whether predictions explain the given labels better than the class sizes do.

    The gain must exceed twice the BIC penalty of C - 1 parameters. Predictions with a smaller gain
    have a most likely noise matrix that calls nearly every label wrong.
    """
    label_N: IntArray = prediction.label[:, 0]
    share_C = np.bincount(label_N, minlength=prediction.num_classes) / len(label_N)
    entropy = -float(xlogy(share_C, share_C).sum())
    num_used = int((share_C > 0.0).sum())
    gain = len(label_N) * (mean_log_likelihood + entropy)
    return bool(gain > (num_used - 1) * np.log(len(label_N)))


def _unfitted(candidates: Candidates) -> Hypotheses:
    """Return a posterior that ranks by the loss and leaves each given label more probable than not.

    It assumes even noise, and mixes the predictions half and half with an even spread.
    """
    other = FALLBACK_NOISE / max(candidates.num_classes - 1, 1)
    believed_NK = (candidates.prob + 1.0 / candidates.num_classes) / 2.0 * other
    believed_NK[:, 0] *= (1.0 - FALLBACK_NOISE) / other
    rest_N = (candidates.rest + candidates.num_others / candidates.num_classes) / 2.0 * other
    total_N: FloatArray = believed_NK.sum(axis=1) + rest_N
    posterior = TrueClass(prob=believed_NK / total_N[:, None], rest=rest_N / total_N)
    return Hypotheses(
        prediction=candidates,
        true_class=posterior,
        p_wrong=posterior.p_wrong[None].astype(np.float32),
        fallback=UNINFORMATIVE,
    )
