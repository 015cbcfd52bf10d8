"""The maps from losses to (0, 1), where the components of a mixture live."""

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ml.types import FloatArray

RANGE_SLACK = 1e-6
PUBLISHED_EDGE = 1e-3
MIN_RATIO = 1e-3
"""Losses further below the median say nothing more; a zero would be an outlier of its own."""
MAX_RATIO = 1e6
TOP_MARGIN = 1.05
"""The linear range ends this far above the largest loss, so that no loss is at the edge."""


@dataclass(frozen=True, kw_only=True, slots=True)
class PublishedRange:
    """The 5th to the 95th percentile of the losses, stretched to (0, 1) in float32."""

    min_loss: float
    """Loss that is normalised to 0."""
    max_loss: float
    """Loss that is normalised to 1."""

    def normalise(self, losses_N: ArrayLike) -> FloatArray:
        """Return values of shape (N,) in [1e-3, 1 - 1e-3], or just inside; NaN stays NaN."""
        losses = np.asarray(losses_N, dtype=np.float32)
        low, high = np.float32(self.min_loss), np.float32(self.max_loss)
        x_N = (losses - low) / (high - low + np.float32(RANGE_SLACK))
        x_N = np.where(x_N >= 1.0, np.float32(1.0 - PUBLISHED_EDGE), x_N)
        return np.where(x_N <= 0.0, np.float32(PUBLISHED_EDGE), x_N).astype(np.float64)

    def slope(self, losses_N: NDArray[np.float64]) -> FloatArray:
        """Return d normalised / d loss, shape (N,), per nat."""
        is_inside_N = (losses_N >= self.min_loss) & (losses_N <= self.max_loss)
        return np.where(is_inside_N, 1.0 / (self.max_loss - self.min_loss + RANGE_SLACK), 0.0)


@dataclass(frozen=True, kw_only=True, slots=True)
class MedianRatio:
    """loss / (loss + median): bounded without a percentile, so that no loss leaves the fit.

    A Beta distribution of it is a beta prime of the loss, whose tail falls by a power: far losses
    are neither dropped nor piled up at the edge. Chosen by figures, see docs/decisions.
    """

    scale: float
    """Loss that is normalised to 1/2."""

    def normalise(self, losses_N: ArrayLike) -> FloatArray:
        """Return values of shape (N,) in (0, 1); NaN stays NaN."""
        low, high = MIN_RATIO * self.scale, MAX_RATIO * self.scale
        losses = np.clip(np.asarray(losses_N, dtype=np.float64), low, high)
        return np.asarray(losses / (losses + self.scale), dtype=np.float64)

    def slope(self, losses_N: NDArray[np.float64]) -> FloatArray:
        """Return d normalised / d loss, shape (N,), per nat."""
        return np.asarray(self.scale / (np.maximum(losses_N, 0.0) + self.scale) ** 2)


@dataclass(frozen=True, kw_only=True, slots=True)
class LinearRange:
    """loss / max_loss: from 0, where losses begin, to just above the largest."""

    min_loss: float
    """Smaller losses are held here."""
    max_loss: float
    """Loss that is normalised to 1."""

    def normalise(self, losses_N: ArrayLike) -> FloatArray:
        """Return values of shape (N,) in (0, 1); NaN stays NaN."""
        losses = np.asarray(losses_N, dtype=np.float64)
        held_N = np.clip(losses, self.min_loss, self.max_loss / TOP_MARGIN)
        return np.asarray(held_N / self.max_loss, dtype=np.float64)

    def slope(self, losses_N: NDArray[np.float64]) -> FloatArray:
        """Return d normalised / d loss, shape (N,), per nat."""
        return np.where(losses_N <= self.max_loss, 1.0 / self.max_loss, 0.0)


Normalisation: TypeAlias = PublishedRange | MedianRatio | LinearRange
