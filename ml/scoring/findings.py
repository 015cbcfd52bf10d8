"""Which given labels are wrong, how sure that is, and what they should be."""

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from ml.scoring.verdict import Detection, judge
from ml.training.state import TrainState
from ml.types import BoolArray, FloatArray, IntArray

MIN_CLASS_SIZE = 2
"""A class with fewer samples gives nothing to judge its own samples by."""


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
    """What else was measured: `posterior`, `mean_loss`, `disagreement`."""
    noise_rate: float
    """Estimated share of wrong labels, 0 to 1."""
    noise_rate_interval: tuple[float, float]
    """Sampling error, and all the model cannot know of whose the ambiguity is."""
    fallback: str | None
    """Why no noise matrix could be fitted: a stable name, or None."""

    @classmethod
    def of(
        cls, verdict: Detection, *, loss: FloatArray, signals: dict[str, FloatArray]
    ) -> "Findings":
        """Return a verdict together with what was measured."""
        names = (field.name for field in fields(cls) if field.name not in {"loss", "signals"})
        shared = {name: getattr(verdict, name) for name in names}
        return cls(**shared, loss=loss, signals=signals)


def score(state: TrainState, labels_N: IntArray) -> Findings:
    """Judge every given label from what the training recorded.

    The predictions of the averaged network, averaged over the tracked epochs, are the prior of the
    true class; a noise matrix fitted to the given labels turns them into the probability that a
    label is wrong. No threshold is involved beyond "more probable than not".

    Args:
        state: A training after its last epoch.
        labels_N: Given labels the training used, shape (N,), integers in [0, C).

    Returns:
        The findings.

    Raises:
        ValueError: When the labels are not as many as the samples of the training.
    """
    label_N = np.asarray(labels_N, dtype=np.int64)
    if label_N.shape != (state.data.num_samples,):
        raise ValueError(f"{state.data.num_samples} labels needed, not {label_N.size}")
    log_prob_NC = state.history.mean_log_prob.double().numpy()
    verdict = judge(log_prob_NC, label_N, min_class_size=MIN_CLASS_SIZE)
    return Findings.of(
        verdict, loss=state.history.last_loss.double().numpy(), signals=_signals(state)
    )


def _signals(state: TrainState) -> dict[str, NDArray[np.float64]]:
    history, num_epochs = state.history, max(int(state.history.num_epochs), 1)
    posterior_N = np.zeros(state.data.num_samples)
    if state.mixture is not None:
        posterior_N = state.mixture.posterior(state.mixture_losses.numpy())
    return {
        "posterior": posterior_N,
        "mean_loss": history.mean_loss.double().numpy(),
        "disagreement": history.disagreement.double().numpy() / num_epochs,
    }
