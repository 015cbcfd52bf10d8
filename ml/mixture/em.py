"""EM for two components of one family, made faster by Newton's method, and both families.

M points, K = 2 components.
"""

from dataclasses import dataclass, replace
from typing import Protocol, Self

import numpy as np
from scipy.special import betaln, digamma, expit, logit, zeta

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
SHAPE_RANGE = (1e-3, 1e6)
"""Range of the shapes: shapes beyond it are spikes. The bounds keep every step finite."""
NEWTON_STEPS = 2
"""Newton steps of one M-step; the next M-step goes on from there."""
NEWTON_TOLERANCE = 1e-7
MIN_MASS = 1e-9
"""A component with less than this share of the samples keeps its shape."""
MIN_VARIANCE = 1e-6


class Pair(Protocol):
    """Two components of one family and their weights."""

    @property
    def weight(self) -> FloatArray: ...  # noqa: D102 - the names suffice
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
    """A pair and the result of its E-step."""

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
    """Run EM, later with Newton steps, until an iteration no longer raises the likelihood."""
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
    """Run EM for some iterations from each start, then to the end from the likeliest one."""
    results = [run_em(points, start, max_iterations=RACE_ITERATIONS) for start in starts]
    best = max(results, key=lambda result: result.end.log_likelihood)
    if best.converged:
        return best
    rest = run_em(points, best.end.pair, em_alone=0)
    return replace(rest, num_iterations=best.num_iterations + rest.num_iterations)


def newton_step(points: Points, now: Expectation) -> Expectation:
    """Return a Newton step where it raises the likelihood, else the expectation as it is.

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
    the information of the complete data less that of the unknown components (Louis 1982).
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


@dataclass(frozen=True, slots=True, eq=False)
class BetaPair:
    """Parameters of a mixture of two Beta distributions, each of shape (2,)."""

    alpha: FloatArray
    beta: FloatArray
    weight: FloatArray

    @property
    def mean(self) -> FloatArray:
        """Expectations, shape (2,)."""
        return self.alpha / (self.alpha + self.beta)

    def reordered(self, order: list[int]) -> Self:
        """Return the same mixture with its components in another order."""
        return type(self)(self.alpha[order], self.beta[order], self.weight[order])

    def log_density(self, points: Points) -> FloatArray:
        """Return log Beta_k(x), shape (2, M)."""
        return log_density(points, self.alpha, self.beta)

    def score(self, points: Points) -> FloatArray:
        """Return the derivatives of log density by log alpha and log beta, shape (2, 2, M)."""
        digamma_sum = digamma(self.alpha + self.beta)
        by_alpha = points.log_x - (digamma(self.alpha) - digamma_sum)[:, None]
        by_beta = points.log_rest - (digamma(self.beta) - digamma_sum)[:, None]
        return np.stack([self.alpha[:, None] * by_alpha, self.beta[:, None] * by_beta], axis=1)

    def curvature(self, points: Points, mass_KM: FloatArray) -> FloatArray:
        """Return the second derivatives of the weighted log densities, shape (2, 2, 2)."""
        slope_KP = np.einsum("kpm,km->kp", self.score(points), mass_KM)
        shape_KP = np.stack([self.alpha, self.beta], axis=1)
        common_K = zeta(2.0, self.alpha + self.beta)[:, None, None]
        own_KPP = zeta(2.0, shape_KP)[:, :, None] * np.eye(2)
        outer_KPP = shape_KP[:, :, None] * shape_KP[:, None, :]
        total_K = mass_KM.sum(axis=1)[:, None, None]
        gradient_KPP = slope_KP[:, :, None] * np.eye(2)
        return np.asarray(gradient_KPP - total_K * outer_KPP * (own_KPP - common_K))

    def moved(self, step_KP: FloatArray, weight: FloatArray) -> Self:
        """Return the mixture after a step in the logarithms of the shapes."""
        alpha = np.clip(self.alpha * np.exp(step_KP[:, 0]), *SHAPE_RANGE)
        beta = np.clip(self.beta * np.exp(step_KP[:, 1]), *SHAPE_RANGE)
        return type(self)(alpha, beta, weight)

    def maximise(self, points: Points, mass_KM: FloatArray) -> Self:
        """M-step: maximum likelihood by Newton's method; never worse than these parameters."""
        total_K = mass_KM.sum(axis=1)
        safe_K = np.maximum(total_K, MIN_MASS)
        statistics_2K = np.stack([mass_KM @ points.log_x, mass_KM @ points.log_rest]) / safe_K
        now_2K = np.stack([self.alpha, self.beta])
        shape_2K = maximise_shapes(statistics_2K, now_2K, max_steps=NEWTON_STEPS)
        # An empty component keeps its shape.
        shape_2K = np.where(total_K < MIN_MASS * total_K.sum(), now_2K, shape_2K)
        return type(self)(shape_2K[0], shape_2K[1], total_K / total_K.sum())


def log_density(points: Points, alpha: FloatArray, beta: FloatArray) -> FloatArray:
    """Return log Beta(x; alpha, beta), shape (K, M), for K pairs of shapes."""
    log_norm = betaln(alpha, beta)[:, None]
    return np.asarray(
        (alpha - 1.0)[:, None] * points.log_x + (beta - 1.0)[:, None] * points.log_rest - log_norm
    )


def mean_log_likelihood(statistics_2K: FloatArray, shape_2K: FloatArray) -> FloatArray:
    """Return E log Beta(x), but for a constant, given E log x and E log(1-x); shape (K,)."""
    return np.asarray((shape_2K * statistics_2K).sum(axis=0) - betaln(shape_2K[0], shape_2K[1]))


def maximise_shapes(
    statistics_2K: FloatArray, shape_2K: FloatArray, *, max_steps: int
) -> FloatArray:
    """Raise the likelihood of K Beta distributions by Newton steps, each taken only if it rises.

    Solves psi(a) - psi(a+b) = E log x and psi(b) - psi(a+b) = E log(1-x). Steps are taken in the
    logarithm of the shapes and shortened until they help, so the shapes stay positive.
    """
    value_K = mean_log_likelihood(statistics_2K, shape_2K)
    scale_K = np.ones_like(value_K)
    for _ in range(max_steps):
        step_2K = scale_K * _shape_step(statistics_2K, shape_2K)
        new_shape_2K = np.clip(shape_2K * np.exp(step_2K), *SHAPE_RANGE)
        new_value_K = mean_log_likelihood(statistics_2K, new_shape_2K)
        gain_K = new_value_K - value_K
        helps_K = gain_K > 0.0
        shape_2K = np.where(helps_K, new_shape_2K, shape_2K)
        value_K = np.maximum(value_K, new_value_K)
        scale_K = np.where(helps_K, 1.0, scale_K / 4.0)
        if np.abs(gain_K).max() < NEWTON_TOLERANCE:
            break
    return shape_2K


def _shape_step(statistics_2K: FloatArray, shape_2K: FloatArray) -> FloatArray:
    """Return the Newton step in the logarithms of the shapes, held to a factor of e.

    zeta(2, x) is the trigamma function, the derivative of digamma.
    """
    with_sum_3K = np.concatenate([shape_2K, shape_2K.sum(axis=0, keepdims=True)])
    digamma_3K, trigamma_3K = digamma(with_sum_3K), zeta(2.0, with_sum_3K)
    gradient_2K = statistics_2K - digamma_3K[:2] + digamma_3K[2]
    curvature_2K, common_K = trigamma_3K[:2], trigamma_3K[2]
    determinant_K = curvature_2K.prod(axis=0) - common_K * curvature_2K.sum(axis=0)
    other_2K = curvature_2K[::-1] * gradient_2K - common_K * (gradient_2K - gradient_2K[::-1])
    return np.asarray(np.clip(other_2K / (determinant_K * shape_2K), -1.0, 1.0))


@dataclass(frozen=True, slots=True, eq=False)
class GaussianPair:
    """Parameters of a mixture of two Gaussian distributions, each of shape (2,)."""

    mean: FloatArray
    variance: FloatArray
    weight: FloatArray

    def reordered(self, order: list[int]) -> Self:
        """Return the same mixture with its components in another order."""
        return type(self)(self.mean[order], self.variance[order], self.weight[order])

    def log_density(self, points: Points) -> FloatArray:
        """Return log N_k(x), shape (2, M)."""
        log_norm = np.log(2.0 * np.pi * self.variance)[:, None]
        return np.asarray(-0.5 * (self._squared(points) + log_norm))

    def score(self, points: Points) -> FloatArray:
        """Return the derivatives of log density by mean and log variance, shape (2, 2, M)."""
        by_mean = (points.x - self.mean[:, None]) / self.variance[:, None]
        return np.stack([by_mean, 0.5 * (self._squared(points) - 1.0)], axis=1)

    def curvature(self, points: Points, mass_KM: FloatArray) -> FloatArray:
        """Return the second derivatives of the weighted log densities, shape (2, 2, 2)."""
        by_mean_K = mass_KM.sum(axis=1) / self.variance
        mixed_K = (mass_KM * (points.x - self.mean[:, None])).sum(axis=1) / self.variance
        by_variance_K = 0.5 * (mass_KM * self._squared(points)).sum(axis=1)
        rows = [[by_mean_K, mixed_K], [mixed_K, by_variance_K]]
        return -np.moveaxis(np.array(rows), -1, 0)

    def moved(self, step_KP: FloatArray, weight: FloatArray) -> Self:
        """Return the mixture after a step in the means and the logarithms of the variances."""
        variance = np.maximum(self.variance * np.exp(step_KP[:, 1]), MIN_VARIANCE)
        return type(self)(self.mean + step_KP[:, 0], variance, weight)

    def maximise(self, points: Points, mass_KM: FloatArray) -> Self:
        """M-step: maximum likelihood, which for Gaussians is the weighted moments."""
        total_K = mass_KM.sum(axis=1)
        is_empty_K = total_K < MIN_MASS * total_K.sum()
        mean, variance = moments(points, mass_KM)
        return type(self)(
            np.where(is_empty_K, self.mean, mean),
            np.where(is_empty_K, self.variance, np.maximum(variance, MIN_VARIANCE)),
            total_K / total_K.sum(),
        )

    def _squared(self, points: Points) -> FloatArray:
        """Return squared standardised distances, shape (2, M)."""
        distance_KM = points.x - self.mean[:, None]
        return np.asarray(distance_KM**2 / self.variance[:, None])


def moments(points: Points, mass_KM: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return the weighted means and variances, each of shape (2,)."""
    total_K = np.maximum(mass_KM.sum(axis=1), np.finfo(np.float64).tiny)
    mean_K = mass_KM @ points.x / total_K
    variance_K = (mass_KM * (points.x - mean_K[:, None]) ** 2).sum(axis=1) / total_K
    return mean_K, variance_K
