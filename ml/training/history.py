"""What a training records: of each sample over the epochs, and of each epoch.

N samples, C classes.
"""

from dataclasses import dataclass, fields

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ml.mixture import Mixture

MAX_STORED_LOSS = 6e4
"""In nats; float16 ends a little above."""
RECENCY = 3
"""The k-th epoch weighs nearly as k to this power in the averages: early networks know
little (polynomial decay; Shamir and Zhang, ICML 2013, section 5)."""
MIN_SHARE = 0.05
"""Smallest share of the newest epoch in the averages, which forget after about sixty epochs."""
NUM_BINS = 50
TOP_QUANTILE = 0.999


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class SampleHistory:
    """Statistics of every sample over the tracked epochs; `updated` returns a new object."""

    num_epochs: Tensor
    """Epochs tracked, a scalar int64."""
    last_loss: Tensor
    """Cross-entropy of the given label in the last epoch, (N,) float32, in nats."""
    mean_loss: Tensor
    """`last_loss` averaged over the epochs, (N,) float32. The loss of one epoch is unstable."""
    disagreement: Tensor
    """Epochs in which the most probable class was not the given label, (N,) int32."""
    last_prediction: Tensor
    """Most probable class in the last epoch, (N,) int64."""
    mean_margin: Tensor
    """Logit of the given label less the greatest other one, averaged over the epochs, (N,) float32:
    the area under the margin (Pleiss et al., NeurIPS 2020)."""
    losses: Tensor
    """Loss of the given label after every epoch, (epochs, N) float16, in nats."""
    mean_log_prob: Tensor
    """Class log-probabilities averaged over the epochs, (N, C) float32, in nats."""

    @classmethod
    def empty(cls, num_samples: int, num_classes: int) -> "SampleHistory":
        """Return the history before the first epoch."""
        return cls(
            num_epochs=torch.zeros((), dtype=torch.int64),
            last_loss=torch.zeros(num_samples),
            mean_loss=torch.zeros(num_samples),
            disagreement=torch.zeros(num_samples, dtype=torch.int32),
            last_prediction=torch.zeros(num_samples, dtype=torch.int64),
            mean_margin=torch.zeros(num_samples),
            losses=torch.zeros(0, num_samples, dtype=torch.float16),
            mean_log_prob=torch.zeros(num_samples, num_classes),
        )

    @property
    def next_share(self) -> float:
        """Share of the next epoch in the averages."""
        return max((1 + RECENCY) / (int(self.num_epochs) + 1 + RECENCY), MIN_SHARE)

    def updated(self, log_prob_NC: Tensor, label_N: Tensor) -> "SampleHistory":
        """Return the history with one more epoch, given its log-probabilities (float32, CPU)."""
        loss_N = -log_prob_NC.gather(1, label_N[:, None])[:, 0]
        share = self.next_share
        prediction_N = log_prob_NC.argmax(dim=1)
        return SampleHistory(
            num_epochs=self.num_epochs + 1,
            last_loss=loss_N,
            mean_loss=torch.lerp(self.mean_loss, loss_N, share),
            disagreement=self.disagreement + (prediction_N != label_N).int(),
            last_prediction=prediction_N,
            mean_margin=torch.lerp(self.mean_margin, _margins(log_prob_NC, label_N), share),
            losses=torch.cat([self.losses, loss_N.clamp(max=MAX_STORED_LOSS).half()[None]]),
            mean_log_prob=torch.lerp(self.mean_log_prob, log_prob_NC, share),
        )

    def to_tensors(self) -> dict[str, Tensor]:
        """Return the fields by name."""
        return {field.name: getattr(self, field.name) for field in fields(self)}


def _margins(log_prob_NC: Tensor, label_N: Tensor) -> Tensor:
    """Return the logit of each given label less the greatest other one, (N,)."""
    given_N1 = log_prob_NC.gather(1, label_N[:, None])
    others_NC = log_prob_NC.scatter(1, label_N[:, None], -torch.inf)
    return given_N1[:, 0] - others_NC.amax(dim=1)


@dataclass(frozen=True, kw_only=True, slots=True)
class BatchProgress:
    """Position inside the work of one epoch, training and tracking together."""

    epoch: int
    """From 1."""
    batch: int
    """Batches done in this epoch, from 1."""
    num_batches: int


@dataclass(frozen=True, kw_only=True, slots=True)
class MixtureSummary:
    """The numbers of a fitted mixture that a report shows."""

    kind: str
    """`beta`, with `alpha` and `beta`; or `gaussian`, with `mean` and `variance`."""
    weight: tuple[float, float]
    alpha: tuple[float, float] | None = None
    beta: tuple[float, float] | None = None
    mean: tuple[float, float] | None = None
    variance: tuple[float, float] | None = None
    noise_rate: float
    noise_rate_interval: tuple[float, float]
    converged: bool
    fallback: str | None

    @classmethod
    def of(cls, mixture: Mixture) -> "MixtureSummary":
        """Return the summary of a mixture."""
        return cls(
            kind=mixture.kind,
            weight=mixture.weight,
            **mixture.components(),
            noise_rate=mixture.noise_rate,
            noise_rate_interval=mixture.noise_rate_interval,
            converged=mixture.converged,
            fallback=mixture.fallback,
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Histogram:
    """Counts of losses between edges; the last bin also holds what lies above."""

    edges: tuple[float, ...]
    counts: tuple[int, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class EpochReport:
    """What happened in one epoch; `dataclasses.asdict` makes it ready for JSON."""

    epoch: int
    """From 1."""
    train_loss: float
    """Mean of the method's loss over the batches, in nats."""
    mean_tracking_loss: float
    """Mean cross-entropy of the given labels under the averaged weights, in nats."""
    learning_rate: float
    """Learning rate of the last step."""
    num_skipped_steps: int
    """Steps that were not taken, since their loss was not finite."""
    seconds: float
    images_per_second: float
    mixture: MixtureSummary
    """The noise model after the epoch."""
    loss_histogram: Histogram
    """Histogram of the losses that the noise model was fitted to."""
    slice_size: int | None = None
    """Samples that a pass took at once, where memory did not suffice for a whole batch."""


def loss_histogram(loss_N: NDArray[np.floating]) -> Histogram:
    """Return the counts in equal bins from 0 to a high quantile of the losses."""
    top = max(float(np.quantile(loss_N, TOP_QUANTILE)), 1e-3)
    counts, edges = np.histogram(np.minimum(loss_N, top), bins=NUM_BINS, range=(0.0, top))
    return Histogram(edges=tuple(edges.tolist()), counts=tuple(counts.tolist()))
