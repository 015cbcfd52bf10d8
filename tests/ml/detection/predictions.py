"""Predictions of a network that learnt noisy labels, with given and true labels."""

from typing import NamedTuple

import numpy as np
from scipy.special import softmax

from ml.types import BoolArray, FloatArray, IntArray


class Predictions(NamedTuple):
    """Probabilities (N, C), given and true labels (N,)."""

    prob: FloatArray
    given: IntArray
    true: IntArray

    @property
    def is_wrong(self) -> BoolArray:
        return np.asarray(self.given != self.true)


def noisy_predictions(
    transition_CC: FloatArray, *, num_samples: int = 3000, clarity: float = 4.0, seed: int = 0
) -> Predictions:
    """Return what a perfect network predicts of labels drawn from the matrix.

    It knows p(true | image), sharper with more clarity, and so p(given | image).
    """
    rng = np.random.default_rng(seed)
    num_classes = len(transition_CC)
    label_N = np.arange(num_samples) % num_classes
    evidence_NC = (
        rng.normal(size=(num_samples, num_classes)) + clarity * np.eye(num_classes)[label_N]
    )
    true_class_NC = softmax(clarity * evidence_NC, axis=1)
    true_N = _draw(true_class_NC, rng)
    given_N = _draw(transition_CC[true_N], rng)
    return Predictions(true_class_NC @ transition_CC, given_N, true_N)


def even_noise(num_classes: int, noise: float) -> FloatArray:
    """Return the matrix that moves a share of each class evenly to all other classes."""
    matrix_CC = np.full((num_classes, num_classes), noise / (num_classes - 1))
    np.fill_diagonal(matrix_CC, 1.0 - noise)
    return matrix_CC


def uneven_noise() -> FloatArray:
    """Return a matrix of four classes, of which one loses most of its labels."""
    return np.array(
        [[0.5, 0.4, 0.1, 0.0], [0.0, 1.0, 0.0, 0.0], [0.1, 0.0, 0.8, 0.1], [0.2, 0.0, 0.0, 0.8]]
    )


def _draw(prob_NC: FloatArray, rng: np.random.Generator) -> IntArray:
    draw_N1 = rng.random((len(prob_NC), 1))
    drawn_N = (draw_N1 > prob_NC.cumsum(axis=1)).sum(axis=1)
    return np.asarray(np.minimum(drawn_N, prob_NC.shape[1] - 1), dtype=np.int64)
