import numpy as np
import pytest
from scipy.special import log_softmax

from ml.detection.neighbours import find_neighbours
from ml.detection.transition import count_given, estimate_transition, even_noise
from ml.detection.unmixing import calibrate, find_clear, sharpen, typical_predictions, unmix
from tests.ml.detection.predictions import uneven_noise


def test_a_mixture_of_typical_predictions_is_taken_apart() -> None:
    typical_CC = uneven_noise()
    share_NC = np.random.default_rng(0).dirichlet(np.full(4, 0.5), size=500)
    unmixed_NC = unmix(share_NC @ typical_CC, typical_CC)
    assert np.abs(unmixed_NC - share_NC).mean() <= 0.02
    np.testing.assert_allclose(unmix(typical_CC, typical_CC).argmax(axis=1), np.arange(4))


def test_what_lies_outside_all_mixtures_becomes_the_nearest_class() -> None:
    unmixed_NC = unmix(np.array([[0.98, 0.01, 0.01]]), even_noise(3, 0.4))
    np.testing.assert_allclose(unmixed_NC, [[1.0, 0.0, 0.0]], atol=1e-6)


@pytest.mark.parametrize("temperature", [0.3, 1.0, 4.0])
def test_calibration_finds_the_temperature_of_the_labels(temperature: float) -> None:
    rng = np.random.default_rng(0)
    log_prob_NC = log_softmax(3.0 * rng.normal(size=(20_000, 5)), axis=1)
    wanted_NC = sharpen(np.exp(log_prob_NC), 1.0 / temperature)
    label_N = (rng.random((20_000, 1)) > wanted_NC.cumsum(axis=1)).sum(axis=1)
    prob_NC, mean_log_likelihood = calibrate(log_prob_NC, label_N)
    assert np.abs(prob_NC - wanted_NC).max() <= 0.03
    given_N = prob_NC[np.arange(20_000), label_N]
    assert mean_log_likelihood == pytest.approx(np.log(given_N).mean())


def test_clear_samples_are_the_most_confident_quarter_of_each_class() -> None:
    confidence_N = np.linspace(0.6, 0.9, 100)
    prob_NC = np.stack([confidence_N, 1.0 - confidence_N], axis=1)
    prob_NC[::2] = prob_NC[::2, ::-1]
    is_clear_N = find_clear(prob_NC)
    assert is_clear_N[:74].sum() == 0
    assert is_clear_N[76:].all()


def test_a_class_without_clear_samples_still_has_a_typical_prediction() -> None:
    prob_NC = np.array([[0.7, 0.2, 0.1]] * 50)
    typical_CC = typical_predictions(prob_NC, np.eye(3)[[0] * 50], np.ones(50, dtype=np.bool_))
    np.testing.assert_allclose(typical_CC[0], prob_NC[0], atol=0.02)
    np.testing.assert_allclose(typical_CC[1:], even_noise(3, 0.2)[1:])


def test_equal_confidences_are_all_clear_in_spite_of_rounding() -> None:
    prob_NC = np.array([[1.0, 0.0], [1.0 - 1e-15, 1e-15], [1.0 + 1e-15, 0.0], [0.6, 0.4]])
    assert find_clear(prob_NC).tolist() == [True, True, True, False]


def test_a_sample_is_no_neighbour_of_itself() -> None:
    feature_ND = np.array([[1.0, 0.0], [2.0, 0.1]], dtype=np.float32)
    share_NC = find_neighbours(feature_ND, np.array([0, 1]), num_classes=2).share
    np.testing.assert_allclose(share_NC, [[0.25, 0.75], [0.75, 0.25]])


class TestTransition:
    def test_many_uneven_counts_speak_for_themselves(self) -> None:
        count_CC = 10_000.0 * uneven_noise()
        np.testing.assert_allclose(estimate_transition(count_CC), uneven_noise(), atol=2e-3)

    def test_few_counts_are_drawn_to_even_noise(self) -> None:
        count_CC = 30.0 * np.eye(10)
        count_CC[0, 1] = 3.0
        estimate_CC = estimate_transition(count_CC)
        assert estimate_CC[0, 1] < 0.9 * 3.0 / 33.0
        assert estimate_CC[5, 6] > 1e-4

    def test_counts_without_an_error_leave_room_for_one(self) -> None:
        estimate_CC = estimate_transition(100.0 * np.eye(3))
        assert np.all(estimate_CC > 0.0)
        np.testing.assert_allclose(estimate_CC, np.eye(3), atol=1e-3)

    def test_weights_are_summed_by_class_and_given_label(self) -> None:
        weight_NC = np.array([[0.25, 0.75], [1.0, 0.0], [0.5, 0.5]])
        count_CC = count_given(weight_NC, np.array([1, 0, 1]))
        np.testing.assert_allclose(count_CC, [[1.0, 0.75], [0.0, 1.25]])
