"""Label noise inverted by Bayes' rule (N samples, C classes).

What is predicted of the true class is the prior, the noise matrix the likelihood of a given label.
"""

import numpy as np

from ml.detection.transition import count_given, estimate_transition
from ml.detection.unmixing import sharpen
from ml.types import FloatArray, IntArray

NUM_TRANSITION_STEPS = 6
MIN_LIKELIHOOD = 1e-300


def invert(prior_NC: FloatArray, transition_CC: FloatArray, label_N: IntArray) -> FloatArray:
    """Return the posterior of the true class."""
    joint_NC = prior_NC * transition_CC.T[label_N]
    joint_NC /= np.maximum(joint_NC.sum(axis=1, keepdims=True), MIN_LIKELIHOOD)
    return joint_NC


def refitted(prior_NC: FloatArray, transition_CC: FloatArray, label_N: IntArray) -> FloatArray:
    """Return the noise matrix that fits a prior, by EM from another one."""
    for _ in range(NUM_TRANSITION_STEPS):
        posterior_NC = invert(prior_NC, transition_CC, label_N)
        transition_CC = estimate_transition(count_given(posterior_NC, label_N))
    return transition_CC


def posterior_at(
    prior_NC: FloatArray, transition_CC: FloatArray, label_N: IntArray, *, sharpness: float
) -> FloatArray:
    """Return the posterior of the true class, with the noise matrix that fits this sharpness."""
    sharp_NC = sharpen(prior_NC, sharpness)
    return invert(sharp_NC, refitted(sharp_NC, transition_CC, label_N), label_N)


def log_likelihood(
    prior_NC: FloatArray, transition_CC: FloatArray, label_N: IntArray, *, sharpness: float
) -> FloatArray:
    """Return the log-probability of each given label, (N,), with the matrix that fits."""
    sharp_NC = sharpen(prior_NC, sharpness)
    transition_CC = refitted(sharp_NC, transition_CC, label_N)
    likelihood_N = np.einsum("nc,nc->n", sharp_NC, transition_CC.T[label_N])
    return np.asarray(np.log(np.maximum(likelihood_N, MIN_LIKELIHOOD)), dtype=np.float64)
