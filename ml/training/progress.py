"""What a training tells its caller."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ml.mixture import Mixture

NUM_BINS = 50
TOP_QUANTILE = 0.999


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
    """A fitted mixture, reduced to what a report shows."""

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
    """Of the last step."""
    num_skipped_steps: int
    """Steps that were not taken, since their loss was not finite."""
    seconds: float
    images_per_second: float
    mixture: MixtureSummary
    """The noise model after the epoch."""
    loss_histogram: Histogram
    """Of the losses that it was fitted to."""
    slice_size: int | None = None
    """Samples that a pass took at once, where memory did not suffice for a whole batch."""


def loss_histogram(loss_N: NDArray[np.floating]) -> Histogram:
    """Return the counts in equal bins from 0 to a high quantile of the losses."""
    top = max(float(np.quantile(loss_N, TOP_QUANTILE)), 1e-3)
    counts, edges = np.histogram(np.minimum(loss_N, top), bins=NUM_BINS, range=(0.0, top))
    return Histogram(edges=tuple(edges.tolist()), counts=tuple(counts.tolist()))
