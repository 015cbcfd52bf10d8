"""From predictions to a verdict for every given label (N samples, C classes)."""

from dataclasses import dataclass

import numpy as np

from ml.detection.kinds import kind_scores
from ml.detection.likely import LikelyClasses, likely_classes
from ml.detection.noise_model import NoiseModel, fit_noise_model
from ml.types import BoolArray, FloatArray, IntArray

FLAG_ABOVE = 0.5
"""A label is flagged when it is more probably wrong than right."""
INTERVAL_Z = 1.96
MIN_CLASS_SIZE = 20
"""A class with fewer samples tells too little of how its label is used."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Detection:
    """One verdict for each of N samples; arrays of shape (N,), in the order of the input."""

    p_mislabeled: FloatArray
    """Probability that the given label is wrong, 0 to 1; NaN where there is not enough to judge."""
    suggested_label: IntArray
    """Most probable class; differs from the given label wherever `flagged`."""
    suggested_confidence: FloatArray
    """Probability of the suggested class, 0 to 1."""
    flagged: BoolArray
    rank: IntArray
    """1 is worst: by falling `p_mislabeled`, then position; NaN comes last."""
    noise_rate: float
    """Estimated share of wrong labels, 0 to 1."""
    noise_rate_interval: tuple[float, float]
    """Sampling error, and all the model cannot know of whose the ambiguity is."""
    expected_precision: float | None
    """Share of the flagged that is wrong if `p_mislabeled` is right; None where none is flagged."""
    expected_recall: float | None
    """Share of the wrong that is flagged if `p_mislabeled` is right; None where none is wrong."""
    likely: LikelyClasses
    """What else it may be."""
    kind_scores: dict[str, FloatArray]
    """`off_topic` and `ambiguous`, 0 to 1: see `ml.detection.kinds`."""
    fallback: str | None
    """Why no noise matrix could be fitted: a stable name, or None."""


def judge(
    log_prob_NC: FloatArray,
    label_N: IntArray,
    *,
    neighbour_share_NC: FloatArray | None = None,
    saw_labels: bool = False,
    min_rate: float = 0.0,
) -> Detection:
    """Judge every given label by the class log-probabilities of its sample.

    No threshold is involved beyond "more probable than not".

    Args:
        log_prob_NC: Class log-probabilities, finite, in nats.
        label_N: Given labels, in [0, C).
        neighbour_share_NC: Shares of labels among the nearest other samples, where there are; that
            they count in the predictions is for the caller to see to.
        saw_labels: Whether predictions and neighbours are of one network trained on the labels.
        min_rate: A noise rate that is likely reached, 0 to 1.

    Returns:
        The verdicts. Samples of a given label that fewer than 20 samples have are not judged.
    """
    model = fit_noise_model(
        log_prob_NC, label_N, neighbour_share_NC, saw_labels=saw_labels, min_rate=min_rate
    )
    is_judged_N = np.bincount(label_N, minlength=log_prob_NC.shape[1])[label_N] >= MIN_CLASS_SIZE
    row_N = np.arange(len(label_N))
    p_mislabeled_N = _held(1.0 - model.true_class[row_N, label_N])
    p_mislabeled_N[~is_judged_N] = np.nan
    flagged_N = p_mislabeled_N > FLAG_ABOVE
    suggested_N = suggest(model.true_class, label_N, flagged_N)
    num_expected, num_found = np.nansum(p_mislabeled_N), p_mislabeled_N[flagged_N].sum()
    return Detection(
        p_mislabeled=p_mislabeled_N,
        suggested_label=suggested_N,
        suggested_confidence=_held(model.true_class[row_N, suggested_N]),
        flagged=flagged_N,
        rank=rank_by(p_mislabeled_N),
        noise_rate=float(num_expected / max(is_judged_N.sum(), 1)),
        noise_rate_interval=_interval(model, is_judged_N),
        expected_precision=float(num_found / flagged_N.sum()) if flagged_N.any() else None,
        expected_recall=float(num_found / num_expected) if num_expected > 0.0 else None,
        likely=likely_classes(model.true_class, suggested_N),
        kind_scores=kind_scores(model.prediction, model.true_class),
        fallback=model.fallback,
    )


def rank_by(p_mislabeled_N: FloatArray) -> IntArray:
    """Return ranks 1..N by falling probability; ties keep their order and NaN comes last."""
    order_N = np.argsort(-p_mislabeled_N, kind="stable")
    rank_N = np.empty(len(order_N), dtype=np.int64)
    rank_N[order_N] = np.arange(1, len(order_N) + 1)
    return rank_N


def suggest(true_class_NC: FloatArray, label_N: IntArray, flagged_N: BoolArray) -> IntArray:
    """Return the most probable class, of the other classes where the given one is flagged."""
    suggested_N = true_class_NC.argmax(axis=1)
    candidate_KC = true_class_NC[flagged_N]
    candidate_KC[np.arange(len(candidate_KC)), label_N[flagged_N]] = -1.0
    suggested_N[flagged_N] = candidate_KC.argmax(axis=1)
    return np.asarray(suggested_N, dtype=np.int64)


def _held(probability_N: FloatArray) -> FloatArray:
    """Return probabilities without the rounding that leaves [0, 1]."""
    return np.clip(probability_N, 0.0, 1.0)


def _interval(model: NoiseModel, is_judged_N: BoolArray) -> tuple[float, float]:
    """Return the ends of the 95 % intervals of the least and the greatest noise rate in question.

    In question is every sharpness that counts; and no noise at all where clear images show none.
    """
    num_judged = int(is_judged_N.sum())
    if model.fallback or num_judged == 0:
        return 0.0, 1.0
    rate_S = model.p_wrong[:, is_judged_N].mean(axis=1)
    possible_K = rate_S[model.weight > 0.0]
    low, _ = _wilson(float(possible_K.min()), num_judged)
    _, high = _wilson(float(possible_K.max()), num_judged)
    return (low if model.is_noise_seen else 0.0), high


def _wilson(rate: float, num_samples: int) -> tuple[float, float]:
    """Return the Wilson interval of a proportion."""
    z2 = INTERVAL_Z**2 / num_samples
    centre = (rate + z2 / 2.0) / (1.0 + z2)
    half = np.sqrt(z2 * (rate * (1.0 - rate) + z2 / 4.0)) / (1.0 + z2)
    return max(0.0, float(centre - half)), min(1.0, float(centre + half))
