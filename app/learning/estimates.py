"""Shares and their intervals from a few counts: arithmetic, no database."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt

Z = 1.96
"""Of a 95 % interval."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stratum:
    """Samples of one kind, and what was found among those drawn at random."""

    num_samples: int
    num_drawn: int
    num_wrong: int


@dataclass(frozen=True, slots=True)
class Share:
    """An estimate between 0 and 1 with its 95 % interval."""

    estimate: float
    low: float
    high: float


def wilson(num_wrong: int, num_drawn: int) -> Share:
    """Return a proportion with its score interval (Wilson 1927); nothing drawn says nothing."""
    if num_drawn == 0:
        return Share(0.5, 0.0, 1.0)
    rate, z2 = num_wrong / num_drawn, Z**2 / num_drawn
    centre = (rate + z2 / 2.0) / (1.0 + z2)
    half = Z * sqrt(rate * (1.0 - rate) / num_drawn + z2 / (4.0 * num_drawn)) / (1.0 + z2)
    return Share(rate, max(0.0, centre - half), min(1.0, centre + half))


def stratified(strata: Sequence[Stratum]) -> Share:
    """Return the share of wrong labels over all strata, with its interval.

    Each stratum's own Wilson interval, put together by the distances of its ends from its estimate
    (MOVER: Zou and Donner, Statistics in Medicine 2008). A stratum of which all samples were drawn
    adds no doubt.
    """
    total = sum(stratum.num_samples for stratum in strata)
    if total == 0:
        return Share(0.0, 0.0, 1.0)
    estimate = below = above = 0.0
    for stratum in strata:
        weight, share = stratum.num_samples / total, wilson(stratum.num_wrong, stratum.num_drawn)
        left_out = 1.0 - stratum.num_drawn / max(stratum.num_samples, 1)
        estimate += weight * share.estimate
        below += left_out * (weight * (share.estimate - share.low)) ** 2
        above += left_out * (weight * (share.high - share.estimate)) ** 2
    return Share(estimate, max(0.0, estimate - sqrt(below)), min(1.0, estimate + sqrt(above)))
