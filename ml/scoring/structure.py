"""Whether wrong labels come evenly from all classes, or from some pairs of them (C classes)."""

from dataclasses import dataclass

import numpy as np

from ml.types import BoolArray, IntArray

MIN_FLAGGED = 30
"""With fewer, chance alone makes pairs."""
STRUCTURED_ABOVE = 0.5
"""Even noise on 20,000 CIFAR-10 images has .09 to .13; noise of five pairs of classes has .87."""


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

    The unevenness is the total variation distance between the two, by given label, divided by its
    largest possible value.
    """
    num_flagged = int(flagged_N.sum())
    if num_flagged < MIN_FLAGGED or num_classes < 3:
        return NoiseStructure(is_structured=None, unevenness=None)
    count_CC = np.zeros((num_classes, num_classes))
    np.add.at(count_CC, (label_N[flagged_N], suggested_N[flagged_N]), 1.0)
    even_CC = count_CC.sum(axis=1, keepdims=True) * (1.0 - np.eye(num_classes)) / (num_classes - 1)
    distance = float(np.abs(count_CC - even_CC).sum()) / (2.0 * num_flagged)
    unevenness = distance / (1.0 - 1.0 / (num_classes - 1))
    return NoiseStructure(is_structured=unevenness > STRUCTURED_ABOVE, unevenness=unevenness)
