"""From predictions to a verdict for every given label, with intervals for the rates.

N samples, C classes, H hypotheses.
"""

from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ml.detection.candidates import find_candidates
from ml.detection.hypotheses import UNINFORMATIVE, Hypotheses, fit_hypotheses
from ml.detection.kinds import LikelyClasses, kind_scores, likely_classes
from ml.types import BoolArray, FloatArray, IntArray

INTERVAL_Z = 1.96
"""Standard deviations of a 95 % interval."""
MIN_TOLD = 0.005
"""Lower ends below this become 0: on data whose labels are right, so many labels contradict a good
network's surest predictions (CIFAR-10: .0025 to .005)."""
MIN_SEEN = 0.5
"""Smallest share of the wrong labels that predictions contradict at all. Predictions do not show
errors that network and annotators share: on handwritten Roman numerals .52 to .56 of the errors
were among the flagged of three networks, on other data more (docs/results)."""
MIN_WRONG = 1e-12
UNKNOWN = (0.0, 1.0)
Interval = tuple[float, float]
MIN_CLASS_SIZE = 2
"""A class with one sample has no other to compare it with."""
MAX_TOLD_WIDTH = 0.5
"""An interval of the noise rate wider than this tells less than the constant [0, 0.5]."""
MAX_FLAGGED = 0.5
"""Largest share of flagged samples where the noise rate is unknown: more is no selection."""
MIN_YIELD = 0.25
"""Smallest probability worth a look: one of four such labels is wrong (convention, a setting)."""
SURE_ABOVE = 0.9
"""Probability from which a label counts as surely wrong, for decisions in bulk (convention)."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Detection:
    """One verdict for each of N samples; arrays of shape (N,), in the order of the input."""

    p_mislabeled: FloatArray
    """Probability that the given label is wrong, 0 to 1: the mean over the hypotheses. NaN where
    the given label has a single sample."""
    suggested_label: IntArray
    """Most probable class; of the classes other than the given one where `flagged`."""
    suggested_confidence: FloatArray
    """Probability of the suggested class, 0 to 1."""
    flagged: BoolArray
    """Which samples are worth a look: see `worth_a_look`."""
    sure: BoolArray
    """Which labels are wrong with a probability above .9."""
    rank: IntArray
    """1 is worst: by falling `p_mislabeled`, then position; NaN comes last."""
    noise_rate: float
    """Estimated share of wrong labels, 0 to 1."""
    noise_rate_interval: Interval
    """95 % interval: sampling error, and the uncertainty whether ambiguity comes from the network
    or from the annotators."""
    expected_precision: float | None
    """Share of the flagged that is wrong if `p_mislabeled` is right; None where none is flagged."""
    expected_precision_interval: Interval
    expected_recall: float | None
    """Share of the wrong that is flagged if `p_mislabeled` is right; None where none is wrong."""
    expected_recall_interval: Interval
    likely: LikelyClasses
    """Other classes that the sample may be of."""
    kind_scores: dict[str, FloatArray]
    """`off_topic` and `ambiguous`, 0 to 1: see `ml.detection.kinds`."""
    spread: FloatArray
    """Standard deviation over the hypotheses of the probability that the label is wrong, 0 to ½."""
    fallback: str | None
    """Stable name of the reason why nothing could be fitted, or None."""


def judge(
    log_prob_NC: FloatArray,
    label_N: IntArray,
    *,
    may_underfit: bool = False,
    min_yield: float = MIN_YIELD,
) -> Detection:
    """Judge every given label by the class log-probabilities of its sample.

    Args:
        log_prob_NC: Class log-probabilities, finite, in nats.
        label_N: Given labels, in [0, C).
        may_underfit: Whether the network may have learned too little: then its predictions may be
            flat because it is weak, not only because it learned the noise.
        min_yield: Smallest probability that is worth a look.

    Returns:
        The verdicts. A sample whose given label no other has is not judged. Where nothing could be
        fitted, or the noise rate may be anything (an interval wider than `MAX_TOLD_WIDTH`) and most
        samples would be flagged, samples are ranked, but none is flagged and no quality is stated.
    """
    found = fit_hypotheses(find_candidates(log_prob_NC, label_N), may_underfit=may_underfit)
    p_mislabeled_N = found.true_class.p_wrong
    size_C = np.bincount(label_N, minlength=log_prob_NC.shape[1])
    p_mislabeled_N[size_C[label_N] < MIN_CLASS_SIZE] = np.nan
    flagged_N, sure_N = worth_a_look(p_mislabeled_N, min_yield), surely_wrong(p_mislabeled_N)
    if flagged_N.mean() > MAX_FLAGGED:
        found = _unless_uninformative(found, p_mislabeled_N)
    if found.fallback:
        flagged_N, sure_N = np.zeros_like(flagged_N), np.zeros_like(sure_N)
    place_N = suggest(found.true_class.prob, flagged_N)
    row_N = np.arange(len(label_N))
    rates = _rates(found, p_mislabeled_N, flagged_N)
    return Detection(
        p_mislabeled=p_mislabeled_N,
        suggested_label=found.prediction.label[row_N, place_N],
        suggested_confidence=np.clip(found.true_class.prob[row_N, place_N], 0.0, 1.0),
        flagged=flagged_N,
        sure=sure_N,
        rank=rank_by(p_mislabeled_N),
        noise_rate=rates.noise_rate,
        noise_rate_interval=rates.noise_rate_interval,
        expected_precision=rates.precision,
        expected_precision_interval=rates.precision_interval,
        expected_recall=rates.recall,
        expected_recall_interval=rates.recall_interval,
        likely=likely_classes(found.prediction.label, found.true_class.prob, place_N),
        kind_scores=kind_scores(found.prediction, found.true_class),
        spread=found.p_wrong.std(axis=0).astype(np.float64),
        fallback=found.fallback,
    )


def rank_by(p_mislabeled_N: FloatArray) -> IntArray:
    """Return ranks 1..N by falling probability; ties keep their order and NaN comes last."""
    order_N = np.argsort(-p_mislabeled_N, kind="stable")
    rank_N = np.empty(len(order_N), dtype=np.int64)
    rank_N[order_N] = np.arange(1, len(order_N) + 1)
    return rank_N


def suggest(prob_NK: FloatArray, flagged_N: BoolArray) -> IntArray:
    """Return the place of the most probable candidate, not the first one where flagged.

    The first candidate is the given label.
    """
    place_N = prob_NK.argmax(axis=1)
    place_N[flagged_N] = 1 + prob_NK[flagged_N, 1:].argmax(axis=1)
    return np.asarray(place_N, dtype=np.int64)


def _unless_uninformative(found: Hypotheses, p_mislabeled_N: FloatArray) -> Hypotheses:
    """Mark hypotheses as uninformative where their noise rates differ by too much."""
    low, high = noise_rate_interval(found.p_wrong[:, ~np.isnan(p_mislabeled_N)])
    if found.fallback is None and high - low > MAX_TOLD_WIDTH:
        return replace(found, fallback=UNINFORMATIVE)
    return found


class _Rates(NamedTuple):
    noise_rate: float
    noise_rate_interval: Interval
    precision: float | None
    precision_interval: Interval
    recall: float | None
    recall_interval: Interval


def _rates(found: Hypotheses, p_mislabeled_N: FloatArray, flagged_N: BoolArray) -> _Rates:
    """Return the noise rate and the expected quality of the flags, with their intervals."""
    is_judged_N = ~np.isnan(p_mislabeled_N)
    num_expected = float(np.nansum(p_mislabeled_N))
    num_found = float(p_mislabeled_N[flagged_N].sum())
    p_wrong_HM, flagged_M = found.p_wrong[:, is_judged_N], flagged_N[is_judged_N]
    is_stated = found.fallback is None
    return _Rates(
        noise_rate=num_expected / max(int(is_judged_N.sum()), 1),
        noise_rate_interval=noise_rate_interval(p_wrong_HM) if is_stated else UNKNOWN,
        precision=num_found / int(flagged_N.sum()) if flagged_N.any() else None,
        precision_interval=precision_interval(p_wrong_HM, flagged_M),
        recall=num_found / num_expected if is_stated and num_expected > 0.0 else None,
        recall_interval=recall_interval(p_wrong_HM, flagged_M),
    )


def worth_a_look(p_mislabeled_N: FloatArray, min_yield: float = MIN_YIELD) -> BoolArray:
    """Return the set of greatest expected F1 among the samples of p >= `min_yield`.

    Of the k most probable, the expected number of wrong labels is the sum of their p, and their
    F1 is near 2 Σ_top p / (k + Σ_all p) (Lewis 1995; Lipton et al. 2014). Empty where no sample has
    `min_yield`.

    Args:
        p_mislabeled_N: Probabilities of being wrong; NaN is never worth a look.
        min_yield: Smallest probability that is.
    """
    p_N = np.nan_to_num(p_mislabeled_N)
    order_N = np.argsort(-p_N, kind="stable")
    falling_N = p_N[order_N]
    num_worthy = int((falling_N >= min_yield).sum())
    is_worth_N = np.zeros(len(p_N), dtype=np.bool_)
    if num_worthy:
        size_K = np.arange(1, num_worthy + 1)
        f1_K = 2.0 * np.cumsum(falling_N[:num_worthy]) / (size_K + falling_N.sum())
        is_worth_N[order_N[: int(f1_K.argmax()) + 1]] = True
    return is_worth_N


def surely_wrong(p_mislabeled_N: FloatArray) -> BoolArray:
    """Tell which labels are wrong with a probability above .9; NaN is not sure."""
    return np.asarray(np.nan_to_num(p_mislabeled_N) > SURE_ABOVE, dtype=np.bool_)


def noise_rate_interval(p_wrong_HM: NDArray[np.float32]) -> Interval:
    """Return the least and the greatest noise rate of any hypothesis, with sampling error.

    Hypotheses weigh the same and there are too few of them to leave out one at each end of a 95 %
    interval; each end is that of a Wilson interval for M samples.
    """
    num_samples = p_wrong_HM.shape[1]
    if num_samples == 0:
        return UNKNOWN
    rate_H = p_wrong_HM.mean(axis=1, dtype=np.float64)
    low, high = _spread(rate_H, num_samples)
    return (low if low >= MIN_TOLD else 0.0), high


def precision_interval(p_wrong_HM: NDArray[np.float32], flagged_M: BoolArray) -> Interval:
    """Return the interval of the share of flagged labels that is wrong; [0, 1] without a flag."""
    num_flagged = int(flagged_M.sum())
    if num_flagged == 0:
        return UNKNOWN
    return _spread(p_wrong_HM[:, flagged_M].mean(axis=1, dtype=np.float64), num_flagged)


def recall_interval(p_wrong_HM: NDArray[np.float32], flagged_M: BoolArray) -> Interval:
    """Return the interval of the share of wrong labels that is flagged; [0, 1] without a flag.

    The upper end is 1: perhaps no other label is wrong. The lower end is the least recall of any
    hypothesis, with sampling error, times `MIN_SEEN`.
    """
    if not flagged_M.any():
        return UNKNOWN
    wrong_H = p_wrong_HM.sum(axis=1, dtype=np.float64)
    found_H = p_wrong_HM[:, flagged_M].sum(axis=1, dtype=np.float64)
    recall_H = found_H / np.maximum(wrong_H, MIN_WRONG)
    low, _ = _spread(recall_H, max(1.0, float(wrong_H.mean())))
    return MIN_SEEN * low, 1.0


def wilson(rate: float, num_samples: float) -> Interval:
    """Return the 95 % Wilson score interval of a proportion (Wilson 1927)."""
    z2 = INTERVAL_Z**2 / num_samples
    centre = (rate + z2 / 2.0) / (1.0 + z2)
    half = np.sqrt(z2 * (rate * (1.0 - rate) + z2 / 4.0)) / (1.0 + z2)
    return max(0.0, float(centre - half)), min(1.0, float(centre + half))


def _spread(rate_H: NDArray[np.float64], num_samples: float) -> Interval:
    low, _ = wilson(float(np.clip(rate_H.min(), 0.0, 1.0)), num_samples)
    _, high = wilson(float(np.clip(rate_H.max(), 0.0, 1.0)), num_samples)
    return low, high
