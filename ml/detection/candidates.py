"""The few classes that each sample may be of (N samples, C classes, K candidates).

Only a sample's most probable classes and its given one matter; all others are one remainder, whose
probability is spread evenly over them. Cost then grows with K, not with the number of classes.
"""

from dataclasses import dataclass, replace

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import entr

from ml.types import FloatArray, IntArray

MAX_CANDIDATES = 32
"""K: with no more classes than that, none is left for the remainder (convention)."""
MAX_LOG_TEMPERATURE = 3.0
"""Calibration temperatures lie between exp(-3) and exp(3), in the natural logarithm."""
CHUNK_ENTRIES = 2**22
MIN_PROBABILITY = 1e-12
"""Smaller probabilities are rounding; keeps logarithms finite."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Candidates:
    """A probability distribution over the classes of each sample."""

    label: IntArray
    """Candidate classes, (N, K), the given label first; no class twice."""
    prob: FloatArray
    """Their probabilities, (N, K); with `rest` they sum to 1."""
    rest: FloatArray
    """Probability of all other classes together, (N,)."""
    num_classes: int

    @property
    def num_others(self) -> int:
        """Number of classes in the remainder."""
        return self.num_classes - int(self.label.shape[1])

    def at_temperature(self, temperature: float) -> "Candidates":
        """Return softmax(log p / T): each class's probability to the power 1 / T, normalised."""
        power = 1.0 / temperature
        prob_NK = self.prob**power
        rest_N = np.zeros_like(self.rest)
        if self.num_others:
            rest_N = self.num_others * (self.rest / self.num_others) ** power
        total_N = np.maximum(prob_NK.sum(axis=1) + rest_N, MIN_PROBABILITY**power)
        return replace(self, prob=prob_NK / total_N[:, None], rest=rest_N / total_N)

    def evenness(self) -> FloatArray:
        """Return the entropy by that of an even spread over all C classes, (N,), 0 to 1."""
        entropy_N = entr(self.prob).sum(axis=1)
        if self.num_others:
            entropy_N += entr(self.rest) + self.rest * np.log(self.num_others)
        return np.asarray(np.clip(entropy_N / np.log(max(self.num_classes, 2)), 0.0, 1.0))


def find_candidates(log_prob_NC: FloatArray, label_N: IntArray) -> Candidates:
    """Return the given label and the most probable other classes of each sample.

    Args:
        log_prob_NC: Class log-probabilities in nats, finite, need not be normalised.
        label_N: Given labels.
    """
    num_samples, num_classes = log_prob_NC.shape
    num_kept = min(num_classes, MAX_CANDIDATES)
    label_NK = np.empty((num_samples, num_kept), dtype=np.int64)
    prob_NK, rest_N = np.empty((num_samples, num_kept)), np.zeros(num_samples)
    num_rows = max(CHUNK_ENTRIES // num_classes, 1)
    for start in range(0, num_samples, num_rows):
        rows = slice(start, start + num_rows)
        part_MC = np.array(log_prob_NC[rows], dtype=np.float64)
        part_MC -= part_MC.max(axis=1, keepdims=True)
        np.exp(part_MC, out=part_MC)
        part_MC /= part_MC.sum(axis=1, keepdims=True)
        label_NK[rows] = _given_then_likeliest(part_MC, label_N[rows], num_kept)
        prob_NK[rows] = np.take_along_axis(part_MC, label_NK[rows], axis=1)
    if num_kept < num_classes:
        rest_N = np.clip(1.0 - prob_NK.sum(axis=1), 0.0, 1.0)
    return Candidates(label=label_NK, prob=prob_NK, rest=rest_N, num_classes=num_classes)


def _given_then_likeliest(prob_MC: FloatArray, label_M: IntArray, num_kept: int) -> IntArray:
    row_M = np.arange(len(label_M))
    given_M = prob_MC[row_M, label_M].copy()
    prob_MC[row_M, label_M] = -1.0
    others_MK = np.argpartition(-prob_MC, max(num_kept - 2, 0), axis=1)[:, : num_kept - 1]
    prob_MC[row_M, label_M] = given_M
    return np.concatenate([label_M[:, None], np.sort(others_MK, axis=1)], axis=1)


def calibrate(candidates: Candidates) -> tuple[Candidates, float]:
    """Return the distributions at the temperature that explains the given labels best.

    Guo et al., On Calibration of Modern Neural Networks, ICML 2017, section 4.2.

    Returns:
        The distributions, and the mean log-likelihood of the given labels, in nats.
    """

    def negative_log_likelihood(log_temperature: float) -> float:
        given_N = candidates.at_temperature(float(np.exp(log_temperature))).prob[:, 0]
        return -float(np.log(np.maximum(given_N, MIN_PROBABILITY)).mean())

    best = minimize_scalar(
        negative_log_likelihood,
        bounds=(-MAX_LOG_TEMPERATURE, MAX_LOG_TEMPERATURE),
        method="bounded",
        options={"xatol": 1e-3},
    )
    return candidates.at_temperature(float(np.exp(best.x))), -float(best.fun)
