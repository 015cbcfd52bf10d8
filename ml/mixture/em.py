"""EM for a pair of components of any family, made faster by Newton's method (M points)."""

from dataclasses import dataclass, replace
from typing import Protocol, Self

import numpy as np
from scipy.special import expit, logit

from ml.mixture.points import Points
from ml.types import FloatArray

MAX_ITERATIONS = 40
TOLERANCE = 1e-8
"""EM has converged when an iteration raises the mean log-likelihood by less, in nats."""
WEIGHT_RANGE = (1e-9, 1.0 - 1e-9)
EM_ALONE = 3
RACE_ITERATIONS = 12
MAX_STEP = 1.0
STEP_SCALES = (1.0, 0.25)
RIDGE = 1e-9
"""Relative; keeps the information matrix of an empty component invertible."""
TINY = float(np.finfo(np.float64).tiny)


class Pair(Protocol):
    """Two components of one family and their weights."""

    @property
    def weight(self) -> FloatArray: ...  # noqa: D102 - the names say it
    @property
    def mean(self) -> FloatArray: ...  # noqa: D102 - as above
    def reordered(self, order: list[int]) -> Self: ...  # noqa: D102 - as above
    def log_density(self, points: Points) -> FloatArray: ...  # noqa: D102 - as above
    def score(self, points: Points) -> FloatArray: ...  # noqa: D102 - as above
    def curvature(self, points: Points, mass_KM: FloatArray) -> FloatArray: ...  # noqa: D102 - as above
    def moved(self, step_KP: FloatArray, weight: FloatArray) -> Self: ...  # noqa: D102 - as above
    def maximise(self, points: Points, mass_KM: FloatArray) -> Self: ...  # noqa: D102 - as above


@dataclass(frozen=True, slots=True, eq=False)
class Expectation:
    """A pair with what the E-step says of it."""

    pair: Pair
    responsibility: FloatArray
    """(2, M), columns sum to 1."""
    log_likelihood: float
    """Sum of log p(x), in nats."""


@dataclass(frozen=True, slots=True, eq=False)
class EmResult:
    """Where EM ended."""

    end: Expectation
    num_iterations: int
    converged: bool

    def ordered(self) -> "EmResult":
        """Return the result with the larger mean at index 1."""
        if self.end.pair.mean[0] <= self.end.pair.mean[1]:
            return self
        swapped = replace(
            self.end,
            pair=self.end.pair.reordered([1, 0]),
            responsibility=self.end.responsibility[::-1],
        )
        return replace(self, end=swapped)


def expect(points: Points, pair: Pair) -> Expectation:
    """E-step, in log space."""
    log_weight_K = np.log(np.clip(pair.weight, TINY, 1.0))
    log_joint_KM = pair.log_density(points) + log_weight_K[:, None]
    log_prob_M = np.logaddexp(log_joint_KM[0], log_joint_KM[1])
    noisy_M = expit(log_joint_KM[1] - log_joint_KM[0])
    responsibility_KM = np.stack([1.0 - noisy_M, noisy_M])
    return Expectation(pair, responsibility_KM, float(points.count @ log_prob_M))


def em_step(points: Points, now: Expectation) -> Expectation:
    """Return M-step and E-step from an expectation; the likelihood never falls."""
    return expect(points, now.pair.maximise(points, now.responsibility * points.count))


def run_em(
    points: Points, start: Pair, *, max_iterations: int = MAX_ITERATIONS, em_alone: int = EM_ALONE
) -> EmResult:
    """Run EM until an iteration no longer raises the likelihood, at last with Newton's help."""
    now = expect(points, start)
    for iteration in range(1, max_iterations + 1):
        before = now.log_likelihood
        # Not from the start: a long step there ends in the basin of a worse optimum.
        if iteration > em_alone:
            now = newton_step(points, now)
        if now.log_likelihood == before:
            now = em_step(points, now)
        if now.log_likelihood - before < TOLERANCE * points.total:
            return EmResult(now, iteration, converged=True)
    return EmResult(now, max_iterations, converged=False)


def run_race(points: Points, starts: tuple[Pair, ...]) -> EmResult:
    """Run EM a little from each start, and to the end from where the likelihood is greatest."""
    results = [run_em(points, start, max_iterations=RACE_ITERATIONS) for start in starts]
    best = max(results, key=lambda result: result.end.log_likelihood)
    if best.converged:
        return best
    rest = run_em(points, best.end.pair, em_alone=0)
    return replace(rest, num_iterations=best.num_iterations + rest.num_iterations)


def newton_step(points: Points, now: Expectation) -> Expectation:
    """Return a Newton step where it raises the likelihood, else what it got.

    EM alone needs hundreds of iterations where the components overlap.
    """
    gradient, information = gradient_and_information(points, now)
    curvature, direction = np.linalg.eigh(information)
    # Away from the optimum a curvature may be negative: its absolute value still leads upwards.
    size = np.maximum(np.abs(curvature), RIDGE * np.abs(curvature).max() + TINY)
    step = np.clip(direction @ (direction.T @ gradient / size), -MAX_STEP, MAX_STEP)
    for scale in STEP_SCALES:
        stepped = expect(points, _moved(now.pair, scale * step))
        if stepped.log_likelihood > now.log_likelihood:
            return stepped
    return now


def _moved(pair: Pair, step_5: FloatArray) -> Pair:
    log_odds = logit(np.clip(pair.weight[1], *WEIGHT_RANGE)) + step_5[4]
    return pair.moved(step_5[:4].reshape(2, 2), expit(np.array([-log_odds, log_odds])))


def gradient_and_information(points: Points, now: Expectation) -> tuple[FloatArray, FloatArray]:
    """Return gradient (5) and observed information (5, 5) of the log-likelihood.

    The parameters are two of each component and the log odds of the noisy weight. Information is
    that of the complete data less what not knowing the components costs (Louis 1982).
    """
    mass_KM = now.responsibility * points.count
    score_KPM = now.pair.score(points)
    score_weight_K = np.array([0.0, 1.0]) - now.pair.weight[1]
    complete, covariance = np.zeros((5, 5)), np.zeros((5, 5))
    complete[4, 4] = points.total * now.pair.weight.prod()
    complete[:2, :2], complete[2:4, 2:4] = -now.pair.curvature(points, mass_KM)
    mean_score_5M = np.zeros((5, points.x.size))
    for k, block in enumerate((slice(0, 2), slice(2, 4))):
        score_5M = np.zeros((5, points.x.size))
        score_5M[block], score_5M[4] = score_KPM[k], score_weight_K[k]
        covariance += (score_5M * mass_KM[k]) @ score_5M.T
        mean_score_5M += now.responsibility[k] * score_5M
    covariance -= (mean_score_5M * points.count) @ mean_score_5M.T
    return mean_score_5M @ points.count, complete - covariance
