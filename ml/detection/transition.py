"""The noise matrix: how often each class is given the label of each other (N samples, C classes).

`transition_CC[k, j]` is p(given = j | true = k).
"""

import numpy as np
from scipy.sparse import csr_array
from scipy.special import gammaln

from ml.types import FloatArray, IntArray

STRENGTHS = np.geomspace(1.0, 1e5, 21)
"""Imagined samples of each class among which the likeliest prior is looked for."""
MIN_NOISE = 1e-4
"""Even labels without an error in sight may hold one."""


def count_given(weight_NC: FloatArray, label_N: IntArray) -> FloatArray:
    """Return the sum of the weights for each class and given label, (C, C)."""
    num_samples, num_classes = weight_NC.shape
    given_CN = csr_array(
        (np.ones(num_samples), (label_N, np.arange(num_samples))), shape=(num_classes, num_samples)
    )
    return np.asarray((given_CN @ weight_NC).T, dtype=np.float64)


def estimate_transition(count_CC: FloatArray) -> FloatArray:
    """Return the noise matrix of expected counts, drawn to evenly spread noise of the same rate.

    How strongly is decided by the counts themselves: the Dirichlet prior under which they are
    likeliest (empirical Bayes). Few counts or even noise are drawn much, many uneven ones hardly.
    """
    noise = float(np.clip(1.0 - np.trace(count_CC) / count_CC.sum(), MIN_NOISE, 1.0 - MIN_NOISE))
    even_CC = even_noise(len(count_CC), noise)
    strength = max(STRENGTHS, key=lambda strength: _evidence(count_CC, strength * even_CC))
    posterior_CC = count_CC + strength * even_CC
    return np.asarray(posterior_CC / posterior_CC.sum(axis=1, keepdims=True), dtype=np.float64)


def even_noise(num_classes: int, noise: float) -> FloatArray:
    """Return the matrix that moves a share of each class evenly to all other classes."""
    matrix_CC = np.full((num_classes, num_classes), noise / max(num_classes - 1, 1))
    np.fill_diagonal(matrix_CC, 1.0 - noise)
    return matrix_CC


def distance_from_even(transition_CC: FloatArray, share_C: FloatArray) -> float:
    """Return how far noise is from one that spares no class and no pair of classes.

    The total variation distance between the wrong labels by pair of classes and an even spread of
    as many: 0 for even noise, near 1 where two of many classes are mistaken for each other.

    Args:
        transition_CC: The noise matrix.
        share_C: How frequent each class is, sum 1.
    """
    num_classes = len(transition_CC)
    is_wrong_CC = 1.0 - np.eye(num_classes)
    noise_CC = share_C[:, None] * transition_CC * is_wrong_CC
    even_CC = share_C[:, None] * is_wrong_CC / max(num_classes - 1, 1)
    total = float(noise_CC.sum())
    return float(np.abs(noise_CC / total - even_CC).sum()) / 2.0 if total else 0.0


def _evidence(count_CC: FloatArray, prior_CC: FloatArray) -> float:
    """Return the log-probability of the counts under Dirichlet priors of the rows."""
    total_C, prior_C = count_CC.sum(axis=1), prior_CC.sum(axis=1)
    rows_C = (gammaln(count_CC + prior_CC) - gammaln(prior_CC)).sum(axis=1)
    return float((rows_C - gammaln(total_C + prior_C) + gammaln(prior_C)).sum())
