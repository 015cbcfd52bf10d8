"""Structure of the noise: wrong labels spread evenly or concentrate on class pairs (C classes)."""

from dataclasses import dataclass

import numpy as np
from scipy.special import bdtrc

from ml.types import BoolArray, FloatArray, IntArray

MIN_FLAGGED = 30
"""Flagged samples below which no structure is stated (convention)."""
STRUCTURED_ABOVE = 0.25
"""Unevenness from which noise is called structured: half of each label's errors are one other
class's, and 0.5² = 0.25."""
NUM_DEVIATIONS = 4.0
"""Standard deviations by which coincidences must exceed what even noise gives (convention)."""
MAX_CHANCE = 0.01
"""Probability from which a pair of classes counts as chance (convention)."""
LARGE_PAIR_SHARE = 0.25
MIN_PAIR_COUNT = 10
"""A pair is mentioned from this share of the flagged samples on, and from this number on."""


@dataclass(frozen=True, kw_only=True, slots=True)
class NoiseStructure:
    """How the suggested labels of flagged samples spread over the other classes."""

    is_structured: bool | None
    """None where too few are flagged, or there are only two classes."""
    unevenness: float | None
    """0: evenly over all other classes; 1: each given label is one other class's alone."""


def noise_structure(
    label_N: IntArray, suggested_N: IntArray, flagged_N: BoolArray, *, num_classes: int
) -> NoiseStructure:
    """Compare the class pairs of the flagged samples with an even spread.

    Two flagged samples of the same given label coincide when they have the same suggested label.
    With M such pairs of samples, K of which coincide, K / M estimates Σ p² (Simpson 1949) without
    bias, p being the shares of the suggested labels; evenly spread they give q = 1 / (C - 1). The
    unevenness is (K / M - q) / (1 - q), so that few samples do not look uneven. Under an even
    spread K has the mean M q and the variance M q (1 - q): coincidences of uniform draws are
    pairwise independent.

    Args:
        label_N: Given labels.
        suggested_N: Suggested labels.
        flagged_N: Which samples count.
        num_classes: C.
    """
    num_flagged = int(flagged_N.sum())
    count_CC = _count_pairs(label_N[flagged_N], suggested_N[flagged_N], num_classes)
    num_pairs = float(_pairs(count_CC.sum(axis=1)).sum())
    if num_flagged < MIN_FLAGGED or num_classes < 3 or num_pairs == 0.0:
        return NoiseStructure(is_structured=None, unevenness=None)
    num_coinciding, chance = float(_pairs(count_CC).sum()), 1.0 / (num_classes - 1)
    unevenness = max(0.0, (num_coinciding / num_pairs - chance) / (1.0 - chance))
    by_chance = num_pairs * chance
    deviation = np.sqrt(by_chance * (1.0 - chance))
    is_beyond_chance = num_coinciding > by_chance + NUM_DEVIATIONS * deviation
    return NoiseStructure(
        is_structured=bool(is_beyond_chance and unevenness > STRUCTURED_ABOVE),
        unevenness=unevenness,
    )


def stands_out(count: int, *, num_flagged: int, share_of_label: float, num_classes: int) -> bool:
    """Tell whether one pair of classes has more flagged samples than even noise would give it.

    Evenly spread, a pair's number is binomial: its given label has `share_of_label` of the samples,
    and each of the other classes is suggested for 1 / (C - 1) of its errors. The pair is the
    largest of C (C - 1) pairs, so the probability is multiplied by C (C - 1) (Bonferroni).

    Args:
        count: Flagged samples of the pair.
        num_flagged: All flagged samples.
        share_of_label: Share of the samples that have the pair's given label, 0 to 1.
        num_classes: C.
    """
    if count < max(MIN_PAIR_COUNT, LARGE_PAIR_SHARE * num_flagged):
        return False
    chance = share_of_label / max(num_classes - 1, 1)
    tail = float(bdtrc(count - 1, num_flagged, chance))
    return tail * num_classes * (num_classes - 1) < MAX_CHANCE


def _count_pairs(label_M: IntArray, suggested_M: IntArray, num_classes: int) -> FloatArray:
    """Return how often each class is suggested for each given label, (C, C)."""
    cell_M = label_M * num_classes + suggested_M
    count = np.bincount(cell_M, minlength=num_classes**2)
    return count.reshape(num_classes, num_classes).astype(np.float64)


def _pairs(count: FloatArray) -> FloatArray:
    return count * (count - 1.0) / 2.0
