"""Which given labels are wrong, with which probability, and which labels are suggested."""

from collections.abc import Collection
from dataclasses import dataclass, fields, replace

import numpy as np
from numpy.typing import NDArray

from ml.detection.kinds import LikelyClasses, choose_verdicts, hardness
from ml.detection.signals import SIGNALS, gather
from ml.detection.verdict import UNKNOWN, Detection, judge, rank_by
from ml.training.checkpoint import TrainState
from ml.types import BoolArray, FloatArray, IntArray, StrArray

UNPINNED = "p_unpinned"
"""Signal: the probability of being wrong before the label was pinned."""


SCORES = {
    "off_topic": "how evenly the prediction spreads over the classes, 0 to 1",
    "ambiguous": "how unsure the class is, with and without the given label, 0 to 1",
    "hard": "share of the epochs that predicted another class, times that the label is right",
    "duplicate": "how much nearer the most similar sample is than the next nine, as cosines",
    "spread": "how far the hypotheses differ on p_mislabeled, as a standard deviation, 0 to ½",
}
"""Score of each kind of `ml.detection.kinds`, and the spread over the hypotheses; `hard` needs the
signal `disagreement`, `duplicate` the signal `neighbour_agreement`."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Findings:
    """One verdict for each of N training samples; arrays of shape (N,), in the data's order."""

    p_mislabeled: FloatArray
    """Probability that the given label is wrong, 0 to 1; NaN where there is not enough to judge."""
    suggested_label: IntArray
    """Most probable class; differs from the given label wherever `flagged`."""
    suggested_confidence: FloatArray
    """Probability of the suggested class, 0 to 1."""
    flagged: BoolArray
    """Which samples are worth a look."""
    sure: BoolArray
    """Which labels are wrong with a probability above .9."""
    rank: IntArray
    """1 is worst: by falling `p_mislabeled`, then position; NaN comes last."""
    loss: FloatArray
    """Cross-entropy of the given label after the last epoch, in nats."""
    signals: dict[str, FloatArray]
    """Values by name: those of `ml.detection.signals.SIGNALS` that are on, and `SCORES`."""
    verdict: StrArray
    """Kind of the sample, one of `ml.detection.kinds.KINDS`."""
    noise_rate: float
    """Estimated share of wrong labels, 0 to 1."""
    noise_rate_interval: tuple[float, float]
    """95 % interval: sampling error, and the uncertainty whether ambiguity comes from the network
    or from the annotators."""
    expected_precision: float | None
    """Share of the flagged that is wrong if `p_mislabeled` is right; None where none is flagged."""
    expected_recall: float | None
    """Share of the wrong that is flagged if `p_mislabeled` is right; None where none is wrong."""
    fallback: str | None
    """Stable name of the reason why nothing could be fitted, or None."""
    expected_precision_interval: tuple[float, float] = (0.0, 1.0)
    expected_recall_interval: tuple[float, float] = (0.0, 1.0)
    """95 % intervals, as that of the noise rate; everything where none is flagged."""
    likely: LikelyClasses | None = None
    """Other classes that each sample may be of; None without predictions."""

    @classmethod
    def of(
        cls,
        detection: Detection,
        label_N: IntArray,
        *,
        loss: FloatArray,
        signals: dict[str, FloatArray],
        is_copy_N: BoolArray | None = None,
    ) -> "Findings":
        """Return a detection together with what was measured, and a verdict on each sample.

        Args:
            detection: Of the same samples.
            label_N: Given labels.
            loss: Of the given labels, in nats.
            signals: Measured values by name.
            is_copy_N: Which samples show the same picture as an earlier one.
        """
        own = {"loss", "signals", "verdict"}
        shared = {
            field.name: getattr(detection, field.name)
            for field in fields(cls)
            if field.name not in own
        }
        signals = signals | detection.kind_scores | {"spread": detection.spread}
        verdict = choose_verdicts(
            signals,
            p_mislabeled_N=detection.p_mislabeled,
            flagged_N=detection.flagged,
            is_copy_N=np.zeros(len(label_N), dtype=np.bool_) if is_copy_N is None else is_copy_N,
            label_N=label_N,
        )
        return cls(**shared, loss=loss, signals=signals, verdict=verdict)


def score(
    state: TrainState,
    labels_N: IntArray,
    features_ND: NDArray[np.floating] | None = None,
    *,
    is_copy_N: BoolArray | None = None,
    signals: Collection[str] = tuple(SIGNALS),
) -> Findings:
    """Judge every given label from what the training recorded.

    The predictions of the averaged network, averaged over the tracked epochs, are the prior of the
    true class; a noise matrix fitted to the given labels turns them into the probability that a
    label is wrong.

    Args:
        state: A training after its last epoch.
        labels_N: Given labels the training used, shape (N,), integers in [0, C).
        features_ND: Features of each sample, shape (N, D). With features, the labels of the most
            similar samples count beside the prediction.
        is_copy_N: Which samples show the same picture as an earlier one, shape (N,).
        signals: Names of those that are on; the others neither weigh in nor are in the findings.

    Returns:
        The findings.

    Raises:
        ValueError: When labels or features are not as many as the samples of the training, or
            a signal is unknown, or none is left to judge by.
    """
    label_N = np.asarray(labels_N, dtype=np.int64)
    if label_N.shape != (state.data.num_samples,):
        raise ValueError(f"{state.data.num_samples} labels needed, not {label_N.size}")
    evidence = gather(state, label_N, features_ND, names=signals)
    detection = judge(evidence.log_prob, label_N, may_underfit=not state.config.frozen)
    measured = evidence.signals
    if "disagreement" in measured:
        measured["hard"] = hardness(measured["disagreement"], detection.p_mislabeled)
    loss_N = state.history.last_loss.double().numpy()
    return Findings.of(detection, label_N, loss=loss_N, signals=measured, is_copy_N=is_copy_N)


def pin(findings: Findings, labels_N: IntArray, verified_N: BoolArray) -> Findings:
    """Return findings in which verified labels have probability 0 and no flag.

    Rates are those of the labels as they are now: a verified label counts as right. The findings do
    not hold the hypotheses' probabilities, so the quality of the remaining flags has no interval.

    Args:
        findings: Verdicts on N labels.
        labels_N: Those labels, shape (N,): where verified, the decided ones.
        verified_N: Which were verified, shape (N,).
    """
    if not verified_N.any():
        return findings
    p_N = np.where(verified_N, 0.0, findings.p_mislabeled)
    flagged_N = findings.flagged & ~verified_N
    num_judged = int((~np.isnan(p_N)).sum())
    num_expected, num_found = float(np.nansum(p_N)), float(p_N[flagged_N].sum())
    open_share = 1.0 - float(verified_N.sum()) / max(num_judged, 1)
    low, high = findings.noise_rate_interval
    return replace(
        findings,
        p_mislabeled=p_N,
        suggested_label=np.where(verified_N, labels_N, findings.suggested_label),
        suggested_confidence=np.where(verified_N, 1.0, findings.suggested_confidence),
        flagged=flagged_N,
        sure=findings.sure & ~verified_N,
        rank=rank_by(p_N),
        signals=findings.signals | {UNPINNED: np.nan_to_num(findings.p_mislabeled)},
        noise_rate=num_expected / max(num_judged, 1),
        noise_rate_interval=(low * open_share, high * open_share),
        expected_precision=num_found / int(flagged_N.sum()) if flagged_N.any() else None,
        expected_precision_interval=UNKNOWN,
        expected_recall=num_found / num_expected if num_expected > 0.0 else None,
        expected_recall_interval=UNKNOWN,
    )
