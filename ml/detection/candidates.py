"""The few classes that each sample may be of, and their probabilities by a prediction.

N samples, C classes, K candidates. Only a sample's most probable classes and its given one matter;
all others are one remainder, whose probability is spread evenly over them. Cost then grows with K,
not with the number of classes. Where the candidates are all of the classes (K = C), deconvolution
turns what a network predicts of the given label into what it thinks of the true class.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import entr

from ml.types import BoolArray, FloatArray, IntArray

MAX_CANDIDATES = 32
"""K. With at most so many classes the remainder is empty (convention)."""
MAX_LOG_TEMPERATURE = 3.0
"""Calibration temperatures lie between exp(-3) and exp(3), in the natural logarithm."""
CHUNK_ENTRIES = 2**22
MIN_PROBABILITY = 1e-12
"""Smaller probabilities are rounding; keeps logarithms finite."""
NUM_STEPS = 50
"""Of Richardson and Lucy. Ten are too few where the predictions are flat, as under 80 % noise; a
hundred change nothing."""
CONFIDENT_SHARE = 0.25
"""Share of each predicted class, its most confident predictions, that makes the confident subset
(convention)."""
TIE = 1e-9
"""Confidences that differ by less differ by rounding only."""
PSEUDO_NOISE = 0.2
"""Noise of the one imagined sample of each class, for classes without a confident one."""
MIN_MIXED = 1e-12
DECONVOLVED_ENTRIES = 2**19


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


def confident_subset(candidates: Candidates) -> BoolArray:
    """Tell which samples are among the most confident predictions of their predicted class."""
    best_N = candidates.prob.argmax(axis=1)
    row_N = np.arange(len(best_N))
    predicted_N, confidence_N = candidates.label[row_N, best_N], candidates.prob[row_N, best_N]
    is_confident_N = np.zeros(len(best_N), dtype=np.bool_)
    order_N = np.argsort(predicted_N, kind="stable")
    for member_M in np.split(order_N, np.flatnonzero(np.diff(predicted_N[order_N])) + 1):
        least = np.quantile(confidence_N[member_M], 1.0 - CONFIDENT_SHARE)
        is_confident_N[member_M] = confidence_N[member_M] >= least - TIE
    return is_confident_N


def anchor_predictions(
    prob_NC: FloatArray, true_class_NC: FloatArray, is_confident_N: BoolArray
) -> FloatArray:
    """Return the mean prediction of the confident samples of each true class, (C, C)."""
    num_classes = prob_NC.shape[1]
    total_CC = true_class_NC[is_confident_N].T @ prob_NC[is_confident_N]
    total_CC += PSEUDO_NOISE / max(num_classes - 1, 1)
    np.fill_diagonal(total_CC, total_CC.diagonal() + 1.0 - PSEUDO_NOISE)
    return np.asarray(total_CC / total_CC.sum(axis=1, keepdims=True), dtype=np.float64)


def deconvolve(candidates: Candidates, true_class_NK: FloatArray, prior: Candidates) -> Candidates:
    """Return the shares of anchor predictions that mix to each prediction most nearly.

    Nearest by Kullback-Leibler divergence, which EM lowers in every step (Richardson 1972, Lucy
    1974). A network that saw noisy labels predicts the noise too: for a confident image of class k
    its prediction is the anchor of k, and here becomes class k for sure.

    Args:
        candidates: Calibrated predictions of the given label.
        true_class_NK: Posterior of the true class, which weighs the anchors.
        prior: Predictions whose confident subset makes the anchors.
    """
    prob_NC = _by_class(candidates.label, candidates.prob)
    true_class_NC = _by_class(candidates.label, true_class_NK)
    anchor_CC = anchor_predictions(prob_NC, true_class_NC, confident_subset(prior))
    share_NC = np.empty_like(prob_NC)
    for prob_MC, out_MC in zip(_chunks(prob_NC), _chunks(share_NC), strict=True):
        share_MC = np.full_like(prob_MC, 1.0 / prob_MC.shape[1])
        for _ in range(NUM_STEPS):
            mixed_MC = np.maximum(share_MC @ anchor_CC, MIN_MIXED)
            share_MC *= (prob_MC / mixed_MC) @ anchor_CC.T
        out_MC[:] = share_MC / share_MC.sum(axis=1, keepdims=True)
    return replace(candidates, prob=np.take_along_axis(share_NC, candidates.label, axis=1))


def _by_class(label_NC: IntArray, value_NC: FloatArray) -> FloatArray:
    """Return values in the order of the classes."""
    ordered_NC = np.empty_like(value_NC)
    np.put_along_axis(ordered_NC, label_NC, value_NC, axis=1)
    return ordered_NC


def _chunks(array_NC: FloatArray) -> Iterator[FloatArray]:
    """Yield views of a bounded number of rows, so that temporary arrays stay small."""
    num_rows = max(DECONVOLVED_ENTRIES // array_NC.shape[1], 1)
    for start in range(0, len(array_NC), num_rows):
        yield array_NC[start : start + num_rows]
