"""How the losses of a class went over the epochs (E epochs, N samples, C classes)."""

import numpy as np
from numpy.typing import NDArray

from ml.detection.grouping import rows_by_class
from ml.types import BoolArray, IntArray

QUARTILES = (0.25, 0.5, 0.75)
_MAX_CELLS = 2**24
"""Losses looked at at once: 64 MiB."""


def class_curves(
    loss_EN: NDArray[np.float16], label_N: IntArray, counts_N: BoolArray, *, num_classes: int
) -> NDArray[np.float32]:
    """Return the quartiles of the losses in each class after every epoch, in nats.

    Args:
        loss_EN: Losses of the given labels, in nats.
        label_N: The classes.
        counts_N: Which samples count.
        num_classes: C.

    Returns:
        Lower quartile, median and upper quartile, shape (C, 3, E); NaN for a class without samples.
    """
    num_epochs = len(loss_EN)
    curves = np.full((num_classes, len(QUARTILES), num_epochs), np.nan, dtype=np.float32)
    for label, member_M in rows_by_class(label_N, counts_N).items():
        step = max(_MAX_CELLS // len(member_M), 1)
        for start in range(0, num_epochs, step):
            epochs = slice(start, start + step)
            block_EM = loss_EN[epochs, member_M].astype(np.float32)
            curves[label, :, epochs] = np.quantile(block_EM, QUARTILES, axis=1)
    return curves
