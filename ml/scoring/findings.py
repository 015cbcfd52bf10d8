"""Which given labels are wrong, how sure that is, and what they should be."""

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from ml.scoring.kinds import choose_verdicts, hardness
from ml.scoring.likely import LikelyClasses
from ml.scoring.neighbours import find_neighbours
from ml.scoring.verdict import Detection, judge
from ml.training.state import TrainState
from ml.types import BoolArray, FloatArray, IntArray, StrArray

SIGNALS = {
    "posterior": "probability of the noisy component of the mixture of losses",
    "mean_loss": "loss of the given label, averaged over the epochs, in nats",
    "disagreement": "share of the epochs that predicted another class",
    "margin": "how far the given label's logit is above the best other one, mean over the epochs",
    "neighbour_agreement": "share of the 30 most similar samples with the same given label",
    "off_topic": "how evenly the prediction spreads over the classes, 0 to 1",
    "ambiguous": "how unsure the class is, with and without the given label, 0 to 1",
    "hard": "share of the epochs that predicted another class, times that the label is right",
    "duplicate": "how much nearer the most similar sample is than the next nine, as cosines",
}
NEIGHBOUR_WEIGHT = 0.5
"""Of the neighbours' labels beside the prediction, as logarithms: both saw the same features, so
they are far from independent. On 20,000 CIFAR-10 images with 20 % wrong labels ROC-AUC is .972 at
0, .974 at 0.5 and .972 at 1, F1 .838, .847 and .838."""


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
    rank: IntArray
    """1 is worst: by falling `p_mislabeled`, then position; NaN comes last."""
    loss: FloatArray
    """Cross-entropy of the given label after the last epoch, in nats."""
    signals: dict[str, FloatArray]
    """What else was measured, named in `SIGNALS`."""
    verdict: StrArray
    """What kind of sample it is, one of `ml.scoring.kinds.KINDS`."""
    noise_rate: float
    """Estimated share of wrong labels, 0 to 1."""
    noise_rate_interval: tuple[float, float]
    """Sampling error, and all the model cannot know of whose the ambiguity is."""
    expected_precision: float | None
    """Share of the flagged that is wrong if `p_mislabeled` is right; None where none is flagged."""
    expected_recall: float | None
    """Share of the wrong that is flagged if `p_mislabeled` is right; None where none is wrong."""
    fallback: str | None
    """Why no noise matrix could be fitted: a stable name, or None."""
    likely: LikelyClasses | None = None
    """What else each sample may be; None where nothing was predicted."""

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
            signals: What else was measured, named in `SIGNALS`.
            is_copy_N: Which samples show the same picture as an earlier one.
        """
        own = {"loss", "signals", "verdict"}
        shared = {
            field.name: getattr(detection, field.name)
            for field in fields(cls)
            if field.name not in own
        }
        signals = signals | detection.kind_scores
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
) -> Findings:
    """Judge every given label from what the training recorded.

    The predictions of the averaged network, averaged over the tracked epochs, are the prior of the
    true class; a noise matrix fitted to the given labels turns them into the probability that a
    label is wrong. No threshold is involved beyond "more probable than not".

    Args:
        state: A training after its last epoch.
        labels_N: Given labels the training used, shape (N,), integers in [0, C).
        features_ND: What a network that saw none of the labels sees in each sample, shape (N, D).
            The labels of the most similar samples then count beside the prediction.
        is_copy_N: Which samples show the same picture as an earlier one, shape (N,).

    Returns:
        The findings.

    Raises:
        ValueError: When labels or features are not as many as the samples of the training.
    """
    label_N = np.asarray(labels_N, dtype=np.int64)
    if label_N.shape != (state.data.num_samples,):
        raise ValueError(f"{state.data.num_samples} labels needed, not {label_N.size}")
    log_prob_NC = state.history.mean_log_prob.double().numpy()
    signals, share_NC = _signals(state), None
    if features_ND is not None:
        if len(features_ND) != len(label_N):
            raise ValueError(f"features of {len(label_N)} samples needed, not {len(features_ND)}")
        found = find_neighbours(features_ND, label_N, num_classes=state.data.num_classes)
        share_NC = found.share
        log_prob_NC = log_prob_NC + NEIGHBOUR_WEIGHT * np.log(share_NC)
        signals["neighbour_agreement"] = share_NC[np.arange(len(label_N)), label_N]
        signals["duplicate"] = found.closeness
    detection = judge(log_prob_NC, label_N, neighbour_share_NC=share_NC)
    signals["hard"] = hardness(signals["disagreement"], detection.p_mislabeled)
    loss_N = state.history.last_loss.double().numpy()
    return Findings.of(detection, label_N, loss=loss_N, signals=signals, is_copy_N=is_copy_N)


def _signals(state: TrainState) -> dict[str, NDArray[np.float64]]:
    history, num_epochs = state.history, max(int(state.history.num_epochs), 1)
    posterior_N = np.zeros(state.data.num_samples)
    if state.mixture is not None:
        posterior_N = state.mixture.posterior(state.mixture_losses.numpy())
    return {
        "posterior": posterior_N,
        "mean_loss": history.mean_loss.double().numpy(),
        "disagreement": history.disagreement.double().numpy() / num_epochs,
        "margin": history.mean_margin.double().numpy(),
    }
