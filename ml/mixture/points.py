"""From losses to weighted points on (0, 1), where the components of a mixture live.

A histogram of the losses makes the cost of a fit independent of their number. N losses, B bins.
"""

from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ml.types import FloatArray, IntArray

RANGE_SLACK = 1e-6
PUBLISHED_EDGE = 1e-3
MIN_RATIO = 1e-3
"""Losses below this share of the median are raised to it: a zero would be an outlier."""
MAX_RATIO = 1e6
TOP_MARGIN = 1.05
"""The linear range ends this far above the largest loss, so that no loss is at the edge."""
MANTISSA_BITS = 9
"""A loss is first counted by its leading float32 bits: 512 bins for each power of two."""
CODE_SHIFT = 23 - MANTISSA_BITS
NUM_CODES = 1 << (32 - CODE_SHIFT)
SIGN_CODE = NUM_CODES // 2
INFINITY_CODE = 255 << MANTISSA_BITS
CHUNK = 1 << 18
"""Losses counted at once: the copies stay small and in the cache."""
BINS_BY_MASS = 300
BINS_PER_NAT = 30


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
    """Smaller losses are raised to this one."""
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


class LossHistogram(NamedTuple):
    """Finite losses, counted in B bins."""

    losses: FloatArray
    """Rising."""
    counts: IntArray


@dataclass(frozen=True, slots=True, eq=False)
class Points:
    """Values of M weighted samples on (0, 1), with the logarithms that a likelihood needs."""

    x: FloatArray
    log_x: FloatArray
    log_rest: FloatArray
    """log(1 - x)."""
    count: FloatArray

    @property
    def total(self) -> float:
        """Number of samples."""
        return float(self.count.sum())


def count_losses(loss_N: NDArray[np.floating]) -> LossHistogram:
    """Count losses to a precision of 0.2 %; negative losses count as 0, NaN and inf do not."""
    count = np.zeros(NUM_CODES, dtype=np.int64)
    for start in range(0, loss_N.size, CHUNK):
        with np.errstate(over="ignore"):
            loss = loss_N[start : start + CHUNK].astype(np.float32)
        count += np.bincount(loss.view(np.uint32) >> CODE_SHIFT, minlength=NUM_CODES)
    finite = count[:INFINITY_CODE]
    finite[0] += count[SIGN_CODE : SIGN_CODE + INFINITY_CODE].sum()
    code_B = np.flatnonzero(finite)
    bits_B = (code_B.astype(np.uint32) << CODE_SHIFT) + np.uint32(1 << (CODE_SHIFT - 1))
    return LossHistogram(bits_B.view(np.float32).astype(np.float64), finite[code_B])


def weighted_median(histogram: LossHistogram) -> float:
    """Return the loss below which half of the samples are."""
    rank_B = np.cumsum(histogram.counts)
    return float(histogram.losses[np.searchsorted(rank_B, rank_B[-1] / 2.0)])


def binned(histogram: LossHistogram, scale: float) -> tuple[FloatArray, FloatArray]:
    """Return losses and counts of the bins that EM runs on, about 1,000.

    Bins end wherever 1/300 of the losses, 1/30 in the log loss, or 1/30 in the log odds of the
    loss on its linear range is full.
    """
    loss_B = clip_losses(histogram.losses, scale)
    share_B = np.cumsum(histogram.counts) / histogram.counts.sum()
    log_odds_B = np.log(loss_B) - np.log(TOP_MARGIN * loss_B[-1] - loss_B)
    # No term ever falls, so a new bin begins wherever one of them steps.
    step_B = np.floor(BINS_BY_MASS * share_B)
    step_B += np.floor(BINS_PER_NAT * np.log(loss_B)) + np.floor(BINS_PER_NAT * log_odds_B)
    first = np.flatnonzero(np.diff(step_B, prepend=step_B[0] - 1.0))
    count = np.add.reduceat(histogram.counts, first).astype(np.float64)
    mean_log_loss = np.add.reduceat(np.log(loss_B) * histogram.counts, first) / count
    return np.exp(mean_log_loss), count


def clip_losses(loss_M: FloatArray, scale: float) -> FloatArray:
    """Clip losses to the range of ratios to the scale."""
    return np.clip(loss_M, MIN_RATIO * scale, MAX_RATIO * scale)


def ratio_points(loss_M: FloatArray, count_M: FloatArray, scale: float) -> Points:
    """Return loss / (loss + scale)."""
    return points_of_log_odds(np.log(loss_M / scale), count_M)


def linear_points(loss_M: FloatArray, count_M: FloatArray, max_loss: float) -> Points:
    """Return loss / max_loss."""
    x_M = loss_M / max_loss
    return Points(x_M, np.log(x_M), np.log1p(-x_M), count_M)


def points_of_log_odds(log_odds_M: FloatArray, count_M: FloatArray) -> Points:
    """Return x of log(x / (1 - x)), with its logarithms to full precision."""
    log_x_M = -np.logaddexp(0.0, -log_odds_M)
    return Points(np.exp(log_x_M), log_x_M, -np.logaddexp(0.0, log_odds_M), count_M)
