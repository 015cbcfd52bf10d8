"""Noise transition matrices: how often each true class gets each given label.

N samples, K candidates, C classes. T[k, j] = p(given = j | true = k). Two families: an even one,
T[k, k] = 1 - e and T[k, j] = e / (C - 1), and a structured one, whose rows are Dirichlet posteriors
around the even one. Only the cells (candidate, given label) that occur are ever computed.
"""

from dataclasses import dataclass

import numpy as np
from scipy.special import gammaln

from ml.detection.candidates import Candidates
from ml.types import FloatArray

STRENGTHS = np.geomspace(1.0, 1e5, 21)
"""Strengths of the Dirichlet prior that are tried, as imagined samples of each class."""
MIN_NOISE = 1e-4
"""Smallest noise rate: labels without any visible error may hold one in ten thousand
(convention)."""
START_NOISE = 0.1
"""Noise rate from which EM starts (convention)."""
NUM_STEPS = 6
"""Steps of EM for a new prior; more steps change no posterior by .01."""
MIN_LIKELIHOOD = 1e-300


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class TrueClass:
    """Posterior of each sample's true class."""

    prob: FloatArray
    """Of its candidates, (N, K), the given label first."""
    rest: FloatArray
    """Of all other classes together, (N,)."""

    @property
    def p_wrong(self) -> FloatArray:
        """Probability that the given label is wrong, (N,), 0 to 1."""
        return np.asarray(np.clip(1.0 - self.prob[:, 0], 0.0, 1.0))


class EvenNoise:
    """The even matrix: every wrong label is equally likely."""

    def posterior(self, prior: Candidates) -> TrueClass:
        """Return p(true | given) with the noise rate e that EM finds.

        p(k | i) is proportional to prior_i(k) (1 - e) where k is the given label, else to
        prior_i(k) e / (C - 1).
        """
        noise, other = START_NOISE, max(prior.num_classes - 1, 1)
        for _ in range(NUM_STEPS):
            right_N = prior.prob[:, 0] * (1.0 - noise)
            wrong_N = (1.0 - prior.prob[:, 0]) * noise / other
            share_N = wrong_N / np.maximum(right_N + wrong_N, MIN_LIKELIHOOD)
            noise = _clipped(float(share_N.mean()))
        weight_NK = np.full_like(prior.prob, noise / other)
        weight_NK[:, 0] = 1.0 - noise
        return _normalised(prior.prob * weight_NK, prior.rest * noise / other)


class StructuredNoise:
    """The structured matrix: EM fits how often each class is mistaken for each other one."""

    def __init__(self, candidates: Candidates) -> None:
        """Number the cells (candidate, given label) that occur in these samples."""
        num_classes = candidates.num_classes
        code_NK = candidates.label * num_classes + candidates.label[:, :1]
        self._num_classes = num_classes
        self._label_NK = candidates.label
        code_L, cell_NK = np.unique(code_NK, return_inverse=True)
        self._cell_NK = cell_NK.reshape(code_NK.shape)
        self._true_L, given_L = code_L // num_classes, code_L % num_classes
        self._is_diagonal_L = self._true_L == given_L
        self._strength = 1.0

    def fit_strength(self, true_class: TrueClass) -> None:
        """Take the Dirichlet strength under which the expected counts are likeliest.

        Empirical Bayes: a strong prior for few counts or even noise, a weak prior for many uneven
        counts.
        """
        count_L, total_C, noise = self._counts(true_class)
        self._strength = max(
            STRENGTHS, key=lambda s: self._log_marginal_likelihood(count_L, total_C, noise, s)
        )

    def posterior(self, prior: Candidates, *, start: TrueClass) -> TrueClass:
        """Return p(true | given), proportional to prior_i(k) T[k, given_i], T being fitted by EM.

        Args:
            prior: Predictions of the true class.
            start: Posterior from which the matrix is estimated at first.
        """
        true_class = start
        for _ in range(NUM_STEPS):
            true_class = self.step(prior, true_class)
        return true_class

    def step(self, prior: Candidates, true_class: TrueClass) -> TrueClass:
        """Return the posterior under the matrix that another posterior makes likeliest."""
        count_L, total_C, noise = self._counts(true_class)
        pseudo_L = self._strength * self._even(noise)
        transition_L = (count_L + pseudo_L) / (total_C[self._true_L] + self._strength)
        rest_N = prior.rest * noise / max(self._num_classes - 1, 1)
        return _normalised(prior.prob * transition_L[self._cell_NK], rest_N)

    def _counts(self, true_class: TrueClass) -> tuple[FloatArray, FloatArray, float]:
        """Return expected counts of the cells, (L,), of the true classes, (C,), and the noise."""
        weight = true_class.prob.ravel()
        count_L = np.bincount(self._cell_NK.ravel(), weights=weight, minlength=len(self._true_L))
        total_C = np.bincount(self._label_NK.ravel(), weights=weight, minlength=self._num_classes)
        return (
            count_L.astype(np.float64),
            total_C.astype(np.float64),
            _clipped(float(true_class.p_wrong.mean())),
        )

    def _even(self, noise: float) -> FloatArray:
        """Return the even matrix at the cells, (L,)."""
        other = noise / max(self._num_classes - 1, 1)
        return np.where(self._is_diagonal_L, 1.0 - noise, other)

    def _log_marginal_likelihood(
        self, count_L: FloatArray, total_C: FloatArray, noise: float, strength: float
    ) -> float:
        """Return the log-probability of the counts under Dirichlet priors of the rows."""
        pseudo_L = strength * self._even(noise)
        cells = (gammaln(count_L + pseudo_L) - gammaln(pseudo_L)).sum()
        rows = (gammaln(total_C + strength) - gammaln(strength)).sum()
        return float(cells - rows)


def _clipped(noise: float) -> float:
    return min(max(noise, MIN_NOISE), 1.0 - MIN_NOISE)


def _normalised(joint_NK: FloatArray, rest_N: FloatArray) -> TrueClass:
    total_N = np.maximum(joint_NK.sum(axis=1) + rest_N, MIN_LIKELIHOOD)
    return TrueClass(prob=joint_NK / total_N[:, None], rest=rest_N / total_N)
