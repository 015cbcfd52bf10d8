"""Kinds of samples besides mislabelled and clean, and other classes that a sample may be of.

N samples, C classes, K candidates, L of them likely. Each kind has a score in [0, 1] for every
sample; the verdict names one kind. No score needs a true label.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ml.detection.candidates import Candidates
from ml.detection.transition import TrueClass
from ml.types import BoolArray, FloatArray, IntArray, StrArray

OFF_TOPIC_ABOVE = 0.75
AMBIGUOUS_ABOVE = 0.5
NUM_DEVIATIONS = 4.0
"""Deviations above the median from which a score stands out: a weak network is unsure of all
samples."""
HARD_ABOVE = 0.5
"""Share of the epochs that predicted another class."""
MIN_CLASSES = 3
"""With two classes, a picture of neither class looks like both."""
_NORMAL_MAD = 1.4826
NUM_LIKELY = 6
CONFLICT = "conflict"
KINDS = {
    CONFLICT: "the same picture has another label too: at least one of them is wrong",
    "not_judged": "the only sample of its class",
    "off_topic": "looks like none of the classes",
    "mislabeled": "the given label is worth a look: it may well be wrong",
    "duplicate": "shows the same picture as an earlier sample",
    "ambiguous": "may as well be of another class",
    "hard": "most epochs took it for another class, but the label is probably right",
    "clean": "nothing speaks against the label",
}
"""The verdicts; where several apply, the first one counts. `mark_conflicts` gives `conflict`."""


def kind_scores(prediction: Candidates, true_class: TrueClass) -> dict[str, FloatArray]:
    """Return the scores that predictions give.

    Off-topic is the entropy of the prediction. Ambiguous is the geometric mean of the entropy of
    the prediction and the entropy of the posterior, which knows the given label. Entropies are
    divided by the entropy of an even spread.

    Args:
        prediction: Calibrated prediction of N samples.
        true_class: Posterior of their true class, of the same candidates.
    """
    posterior = replace(prediction, prob=true_class.prob, rest=true_class.rest)
    spread_N, unsure_N = prediction.evenness(), posterior.evenness()
    return {"off_topic": spread_N, "ambiguous": np.sqrt(spread_N * unsure_N)}


def choose_verdicts(
    scores: dict[str, FloatArray],
    *,
    p_mislabeled_N: FloatArray,
    flagged_N: BoolArray,
    is_copy_N: BoolArray,
    label_N: IntArray,
) -> StrArray:
    """Return one of `KINDS` for each sample.

    Args:
        scores: Results of `kind_scores`, and `disagreement`: the share of the epochs that predicted
            another class, where something was trained.
        p_mislabeled_N: NaN where there is not enough to judge.
        flagged_N: Which labels are worth a look.
        is_copy_N: Which samples show the same picture as an earlier one.
        label_N: Given labels.
    """
    never_N = np.zeros(len(flagged_N), dtype=np.bool_)
    has_others = len(np.unique(label_N)) >= MIN_CLASSES
    applies = {
        "not_judged": np.isnan(p_mislabeled_N),
        "off_topic": _stands_out(scores["off_topic"], OFF_TOPIC_ABOVE) if has_others else never_N,
        "mislabeled": flagged_N,
        "duplicate": is_copy_N,
        "ambiguous": _stands_out(scores["ambiguous"], AMBIGUOUS_ABOVE),
        "hard": scores["disagreement"] > HARD_ABOVE if "disagreement" in scores else never_N,
    }
    return np.select(list(applies.values()), list(applies), default="clean")


def hardness(disagreement_N: FloatArray, p_mislabeled_N: FloatArray) -> FloatArray:
    """Return the share of disagreeing epochs times the probability that the label is right."""
    return np.asarray(disagreement_N * (1.0 - np.nan_to_num(p_mislabeled_N)), dtype=np.float64)


def _stands_out(score_N: FloatArray, least: float) -> BoolArray:
    median = float(np.median(score_N))
    deviation = _NORMAL_MAD * float(np.median(np.abs(score_N - median)))
    return np.asarray(score_N > max(least, median + NUM_DEVIATIONS * deviation), dtype=np.bool_)


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class LikelyClasses:
    """Classes beside the suggested one, by falling probability; arrays of shape (N, L)."""

    label: NDArray[np.int32]
    probability: NDArray[np.float32]
    """0 to 1; of the same distribution as the suggestion's confidence."""


def likely_classes(
    label_NK: IntArray, prob_NK: FloatArray, suggested_N: IntArray, num: int = NUM_LIKELY
) -> LikelyClasses:
    """Return the most probable candidates other than the suggested one.

    Args:
        label_NK: Candidate classes.
        prob_NK: Their posterior probabilities.
        suggested_N: Which of the candidates is suggested, from 0 to K - 1.
        num: How many; where there are fewer other candidates, L is less.
    """
    other_NK = prob_NK.copy()
    other_NK[np.arange(len(other_NK)), suggested_N] = -1.0
    num_kept = min(num, label_NK.shape[1] - 1)
    place_NL = np.argsort(-other_NK, axis=1, kind="stable")[:, :num_kept]
    return LikelyClasses(
        label=np.take_along_axis(label_NK, place_NL, axis=1).astype(np.int32),
        probability=np.clip(np.take_along_axis(prob_NK, place_NL, axis=1), 0.0, 1.0).astype(
            np.float32
        ),
    )
