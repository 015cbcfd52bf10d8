"""Probabilities that learn from decisions: a smooth correction of their log odds.

G points of the grid, D draws of the posterior.
"""

from dataclasses import dataclass

import numpy as np
from scipy.optimize import isotonic_regression
from scipy.special import expit, log_expit

from ml.review.grid import GRID_ODDS, NUM_POINTS, count, place
from ml.types import BoolArray, FloatArray

OFFSET_DEVIATION = 0.8
SLOPE_DEVIATION = 0.15
BEND_DEVIATION = 1.0
BEND_LENGTH = 1.5
"""Prior of the correction, in log odds: by one number everywhere, by so much for each unit of the
log odds, and by a smooth curve that forgets itself over this length. About as far off as audits of
CIFAR-10 with five kinds of noise were (docs/decisions/0075)."""
NUM_DRAWS = 1_000
NUM_DROPPED = 200
"""Draws before the chain has found its place."""
THINNING = 3
JITTER = 1e-6


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Calibration:
    """How often labels of each probability turned out wrong, with the doubt about it."""

    log_odds: FloatArray
    """Of a label being wrong: draws of the posterior at each point of the grid, (D, G)."""
    curve: FloatArray
    """Calibrated probability at each point of the grid, (G,), never falling."""
    num_wrong: int
    num_right: int
    """Decisions that were learned from."""

    def apply(self, p_N: FloatArray) -> FloatArray:
        """Return calibrated probabilities; never in another order, NaN stays NaN."""
        return np.asarray(np.interp(place(p_N), np.arange(NUM_POINTS), self.curve))


def recalibrate(
    p_mislabeled: FloatArray, is_wrong: BoolArray, is_decided: BoolArray
) -> Calibration:
    """Learn from decided samples how often a label of each probability is wrong.

    The log odds are corrected by a Gaussian process whose mean is no correction: a few decisions
    move little, and where nobody has decided anything, it goes back to the given probability and to
    great doubt. Reviewers may choose by p which samples they decide: given p, that says nothing
    about the label, so the likelihood needs no weights. It does not hold for a choice by what
    p does not know, such as the image. Draws are by elliptical slice sampling (Murray, Adams and
    MacKay, AISTATS 2010) with a fixed seed: equal decisions give equal results.

    Args:
        p_mislabeled: Probabilities of N labels of being wrong, shape (N,); NaN is not judged.
        is_wrong: Whether the label was found wrong, shape (N,); read where decided.
        is_decided: Which labels a reviewer has looked at, shape (N,).

    Returns:
        The calibration.

    Raises:
        ValueError: When the shapes differ, or a probability lies outside [0, 1].
    """
    p_N = np.asarray(p_mislabeled, dtype=np.float64)
    if not p_N.shape == np.shape(is_wrong) == np.shape(is_decided) or p_N.ndim != 1:
        raise ValueError("probabilities and decisions must be of the same samples")
    is_judged_N = ~np.isnan(p_N)
    if not ((p_N[is_judged_N] >= 0.0) & (p_N[is_judged_N] <= 1.0)).all():
        raise ValueError("probabilities must lie between 0 and 1")
    used_N = np.asarray(is_decided, dtype=np.bool_) & is_judged_N
    is_wrong_N = np.asarray(is_wrong, dtype=np.bool_)
    wrong_G, right_G = count(p_N, used_N & is_wrong_N), count(p_N, used_N & ~is_wrong_N)
    log_odds_DG = GRID_ODDS + _corrections(wrong_G, right_G)
    middle_G = np.median(log_odds_DG, axis=0)
    return Calibration(
        log_odds=log_odds_DG,
        curve=np.asarray(expit(isotonic_regression(middle_G).x)),
        num_wrong=int(wrong_G.sum()),
        num_right=int(right_G.sum()),
    )


def _prior_factor() -> FloatArray:
    """Return a factor of the prior covariance of the correction at the points of the grid."""
    gap_GG = GRID_ODDS[:, None] - GRID_ODDS
    covariance_GG = (
        OFFSET_DEVIATION**2
        + SLOPE_DEVIATION**2 * np.outer(GRID_ODDS, GRID_ODDS)
        + BEND_DEVIATION**2 * np.exp(-0.5 * (gap_GG / BEND_LENGTH) ** 2)
    )
    return np.asarray(np.linalg.cholesky(covariance_GG + JITTER * np.eye(NUM_POINTS)))


def _corrections(wrong_G: FloatArray, right_G: FloatArray) -> FloatArray:
    """Return draws of the correction given the decisions, (D, G)."""
    rng = np.random.default_rng(0)
    num_steps = NUM_DROPPED + NUM_DRAWS * THINNING
    other_TG = rng.standard_normal((num_steps, NUM_POINTS)) @ _prior_factor().T
    used_U = np.flatnonzero(wrong_G + right_G)
    odds_U, right_U, all_U = GRID_ODDS[used_U], right_G[used_U], (wrong_G + right_G)[used_U]

    def log_likelihood(correction_U: FloatArray) -> float:
        log_odds_U = odds_U + correction_U
        return float(log_expit(log_odds_U) @ all_U - log_odds_U @ right_U)

    kept_TG = np.zeros((num_steps, NUM_POINTS))
    now_G = np.zeros(NUM_POINTS)
    height = log_likelihood(now_G[used_U])
    for number, other_G in enumerate(other_TG):
        now_U, other_U = now_G[used_U], other_G[used_U]
        level = height + np.log(rng.random())
        angle = rng.uniform(0.0, 2.0 * np.pi)
        low, high = angle - 2.0 * np.pi, angle
        while True:
            height = log_likelihood(now_U * np.cos(angle) + other_U * np.sin(angle))
            if height > level:
                break
            low, high = (angle, high) if angle < 0.0 else (low, angle)
            angle = rng.uniform(low, high)
        now_G = now_G * np.cos(angle) + other_G * np.sin(angle)
        kept_TG[number] = now_G
    return kept_TG[NUM_DROPPED::THINNING]
