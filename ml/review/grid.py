"""Probabilities counted on a grid of log odds, so that no step after depends on their number."""

import numpy as np
from scipy.special import expit, logit

from ml.types import BoolArray, FloatArray

MIN_P, MAX_P = 1e-3, 0.99
"""Beyond these a network's probability says nothing more: whatever it is surer of is as often wrong
as what it is so sure of. Smaller and larger ones would only stretch the scale."""
NUM_POINTS = 116
"""Of the grid: about ten to a unit of the log odds."""

GRID_ODDS: FloatArray = np.linspace(float(logit(MIN_P)), float(logit(MAX_P)), NUM_POINTS)
GRID_P: FloatArray = np.asarray(expit(GRID_ODDS))


def place(p_N: FloatArray) -> FloatArray:
    """Return where probabilities lie on the grid, from 0 to NUM_POINTS - 1; NaN stays NaN."""
    odds_N = logit(np.clip(p_N, MIN_P, MAX_P))
    step = GRID_ODDS[1] - GRID_ODDS[0]
    return np.asarray((odds_N - GRID_ODDS[0]) / step)


def count(p_N: FloatArray, where_N: BoolArray) -> FloatArray:
    """Return how many of the chosen probabilities lie at each point of the grid, (G,)."""
    nearest_M = np.rint(place(p_N[where_N])).astype(np.int64)
    return np.bincount(nearest_M, minlength=NUM_POINTS).astype(np.float64)
