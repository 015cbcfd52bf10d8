"""Predictions are unmixed no further than the given labels ask for."""

import numpy as np

from ml.detection.mixing import unmixed_as_labels_ask
from ml.detection.transition import even_noise
from ml.types import FloatArray, IntArray

NUM_SAMPLES, NUM_CLASSES = 4000, 4
NOISE_CC = even_noise(NUM_CLASSES, 0.3)


def labels_of(prob_NC: FloatArray, seed: int = 0) -> IntArray:
    """Draw a label for each row."""
    rng = np.random.default_rng(seed)
    drawn_N1 = rng.random((len(prob_NC), 1))
    return np.asarray((prob_NC.cumsum(axis=1) < drawn_N1).sum(axis=1), dtype=np.int64)


def unsure(seed: int = 0) -> FloatArray:
    """Predictions of a weak network: nothing is sure, nothing impossible."""
    return np.random.default_rng(seed).dirichlet(np.full(NUM_CLASSES, 0.7), NUM_SAMPLES)


def without_tails(prob_NC: FloatArray) -> FloatArray:
    """What is improbable becomes impossible."""
    kept_NC = np.where(prob_NC >= 0.25, prob_NC, 1e-9)
    return np.asarray(kept_NC / kept_NC.sum(axis=1, keepdims=True))


def unmixed(
    prob_NC: FloatArray, unmixed_NC: FloatArray, label_N: IntArray, *, prefer_raw: bool = False
) -> FloatArray:
    return unmixed_as_labels_ask(prob_NC, unmixed_NC, NOISE_CC, label_N, prefer_raw=prefer_raw)


def test_a_weak_network_is_taken_at_its_word() -> None:
    prob_NC = unsure()
    label_N = labels_of(prob_NC)
    prior_NC = unmixed(prob_NC, without_tails(prob_NC), label_N)
    assert np.abs(prior_NC - prob_NC).max() < 0.1


def test_learnt_noise_is_undone_though_the_labels_are_as_likely_with_it() -> None:
    true_class_NC = np.eye(NUM_CLASSES)[np.arange(NUM_SAMPLES) % NUM_CLASSES]
    learnt_NC = true_class_NC @ NOISE_CC
    prior_NC = unmixed(learnt_NC, true_class_NC, labels_of(learnt_NC))
    np.testing.assert_array_equal(prior_NC, true_class_NC)


def test_under_even_noise_what_is_predicted_stays_where_nothing_speaks_against_it() -> None:
    prob_NC = unsure()[:100]
    sharp_NC, label_N = prob_NC**1.2, labels_of(prob_NC)
    sharp_NC /= sharp_NC.sum(axis=1, keepdims=True)
    np.testing.assert_array_equal(unmixed(prob_NC, sharp_NC, label_N), sharp_NC)
    np.testing.assert_array_equal(unmixed(prob_NC, sharp_NC, label_N, prefer_raw=True), prob_NC)


def test_labels_of_unmixed_predictions_are_explained_by_these() -> None:
    unmixed_NC = without_tails(unsure())
    label_N = labels_of(unmixed_NC @ NOISE_CC)
    np.testing.assert_array_equal(unmixed(unsure(), unmixed_NC, label_N), unmixed_NC)


def test_under_even_noise_it_is_unmixed_where_that_explains_more() -> None:
    true_class_N = np.arange(NUM_SAMPLES) % NUM_CLASSES
    true_class_NC = np.eye(NUM_CLASSES)[true_class_N]
    label_N = labels_of(true_class_NC @ NOISE_CC)
    prior_NC = unmixed(unsure(), true_class_NC, label_N, prefer_raw=True)
    assert (prior_NC.argmax(axis=1) == true_class_N).all()


def test_of_many_samples_some_decide_for_all() -> None:
    prob_NC = np.tile(unsure(), (20, 1))
    label_N = labels_of(prob_NC)
    prior_NC = unmixed(prob_NC, without_tails(prob_NC), label_N)
    assert prior_NC.shape == prob_NC.shape
    assert np.abs(prior_NC - prob_NC).max() < 0.1
