import numpy as np
import pytest

from ml.detection.candidates import find_candidates
from ml.detection.transition import EvenNoise, StructuredNoise, TrueClass
from ml.types import FloatArray, IntArray

NUM_SAMPLES = 6000


def unsure_predictions(true_N: IntArray) -> FloatArray:
    """Return log-probabilities of a network that gives the true class of three 80 %."""
    return np.log(np.where(np.eye(3)[true_N] == 1.0, 0.8, 0.1))


def given_labels(wrong_of: tuple[int, ...], share: float) -> tuple[IntArray, IntArray]:
    """Return true labels, and given ones of which a share of some classes is the class after."""
    rng = np.random.default_rng(0)
    true_N = np.arange(NUM_SAMPLES) % 3
    is_wrong_N = np.isin(true_N, wrong_of) & (rng.random(NUM_SAMPLES) < share)
    return true_N, np.where(is_wrong_N, (true_N + 1) % 3, true_N)


def fit_structured(log_prob_NC: FloatArray, given_N: IntArray) -> TrueClass:
    prior = find_candidates(log_prob_NC, given_N).at_temperature(0.25)
    noise = StructuredNoise(prior)
    true_class = EvenNoise().posterior(prior)
    noise.fit_strength(true_class)
    return noise.posterior(prior, start=true_class)


def test_one_class_that_is_taken_for_another_is_found_by_the_structured_matrix() -> None:
    true_N, given_N = given_labels((0,), 0.3)
    p_wrong_N = fit_structured(unsure_predictions(true_N), given_N).p_wrong
    assert p_wrong_N[given_N != true_N].min() > 0.9
    assert p_wrong_N[given_N == true_N].max() < 0.1
    assert p_wrong_N.mean() == pytest.approx(0.1, abs=0.01)


def test_doubt_counts_more_between_classes_that_are_mixed_up() -> None:
    true_N, given_N = given_labels((0,), 0.3)
    log_prob_NC = unsure_predictions(true_N)
    doubted = np.flatnonzero((given_N == 1) & (true_N == 1))[0]
    other = np.flatnonzero((given_N == 2) & (true_N == 2))[0]
    log_prob_NC[doubted], log_prob_NC[other] = np.log([0.5, 0.4, 0.1]), np.log([0.1, 0.5, 0.4])
    p_wrong_N = fit_structured(log_prob_NC, given_N).p_wrong
    assert p_wrong_N[doubted] > 10.0 * p_wrong_N[other]


def test_the_even_matrix_finds_the_rate_of_even_noise() -> None:
    true_N, given_N = given_labels((0, 1, 2), 0.2)
    prior = find_candidates(unsure_predictions(true_N), given_N).at_temperature(0.25)
    assert EvenNoise().posterior(prior).p_wrong.mean() == pytest.approx(0.2, abs=0.01)


def test_posteriors_are_distributions_also_with_a_remainder() -> None:
    rng = np.random.default_rng(0)
    log_prob_NC, label_N = rng.normal(size=(500, 90)), rng.integers(90, size=500)
    prior = find_candidates(log_prob_NC, label_N)
    assert prior.num_others > 0
    for found in (EvenNoise().posterior(prior), fit_structured(log_prob_NC, label_N)):
        np.testing.assert_allclose(found.prob.sum(axis=1) + found.rest, 1.0)
