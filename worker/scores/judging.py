"""Findings from predicted probabilities alone."""

import numpy as np

import ml
from worker.scores.arrays import FloatArray, IntArray, Scores

MIN_PROBABILITY = 1e-8
"""So that the loss of a label that a model calls impossible is a number."""


def judge(scores: Scores, losses: FloatArray, mixture: ml.Mixture) -> ml.Findings:
    """Judge every given label; `losses` and `mixture` are of these scores."""
    signals = {
        "posterior": mixture.posterior(losses),
        "probability_margin": _margin(scores.prob, scores.label),
    }
    detection = ml.detect(scores.prob, scores.label, scores.feature)
    return ml.Findings.of(detection, scores.label, loss=losses, signals=signals)


def given_label_losses(scores: Scores) -> FloatArray:
    """Return -log of the probability of each given label, shape (N,), in nats."""
    given = scores.prob[np.arange(len(scores.label)), scores.label]
    return np.asarray(-np.log(np.maximum(given, MIN_PROBABILITY)))


def _margin(prob: FloatArray, label: IntArray) -> FloatArray:
    """Return by how much the given label leads the best other one, -1 to 1, shape (N,)."""
    others = prob.copy()
    rows = np.arange(len(label))
    others[rows, label] = -1.0
    return np.asarray(prob[rows, label] - others.max(axis=1))
