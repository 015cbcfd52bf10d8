"""How sure the noise rate of a mixture is (M points)."""

import numpy as np
from scipy.special import expit, logit

from ml.mixture.em import Expectation, gradient_and_information
from ml.mixture.points import Points

INTERVAL_Z = 1.96
MAX_LOG_ODDS = 20.0


def overlap(points: Points, fit: Expectation) -> float:
    """Return the expected share of samples that are assigned to the other component, 0 to 1/2."""
    return float(points.count @ fit.responsibility.min(axis=0)) / points.total


def noise_rate_interval(points: Points, fit: Expectation) -> tuple[float, float]:
    """Return a 95 % interval of the weight of the noisy component.

    From the observed information of all five parameters, on the scale of log odds: it stays inside
    (0, 1) and knows that shapes and weight are estimated together. The losses do not tell of which
    component the samples are on which both overlap, and whether the shapes are right there: their
    expected share is added on both sides.
    """
    _, information = gradient_and_information(points, fit)
    rate, shared = float(fit.pair.weight[1]), overlap(points, fit)
    if not 0.0 < rate < 1.0 or np.linalg.eigvalsh(information)[0] <= 0.0:
        return 0.0, 1.0
    half = INTERVAL_Z * np.sqrt(np.linalg.inv(information)[4, 4])
    low, high = np.clip(logit(rate) + np.array([-half, half]), -MAX_LOG_ODDS, MAX_LOG_ODDS)
    return max(0.0, float(expit(low)) - shared), min(1.0, float(expit(high)) + shared)
