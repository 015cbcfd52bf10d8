"""Randomness as a function of position: no state passes from one draw to the next.

Every stream is named and addressed by (seed, epoch, batch), so a resumed run draws exactly what an
uninterrupted one would have drawn.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from enum import IntEnum

import numpy as np
import torch


class Stream(IntEnum):
    """Independent sources of randomness. Values are part of every run: never renumber them."""

    ORDER = 1
    AUGMENT = 2
    MIXUP = 3
    STATISTICS = 4


def generator(seed: int, stream: Stream, *position: int) -> np.random.Generator:
    """Return the generator at one position (epoch, batch) of a stream."""
    return np.random.default_rng([seed, int(stream), *position])


@contextmanager
def seeded_weights(seed: int) -> Iterator[None]:
    """Make weight initialisation inside the block a function of `seed` alone."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        yield
