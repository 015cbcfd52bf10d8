import numpy as np
import pytest
from scipy.special import log_softmax, softmax

from ml.detection.candidates import MAX_CANDIDATES, calibrate, find_candidates

RNG = np.random.default_rng(0)


def test_all_classes_are_candidates_where_there_are_few() -> None:
    log_prob_NC, label_N = RNG.normal(size=(50, 4)), RNG.integers(4, size=50)
    found = find_candidates(log_prob_NC, label_N)
    np.testing.assert_array_equal(found.label[:, 0], label_N)
    assert np.sort(found.label, axis=1).tolist() == [[0, 1, 2, 3]] * 50
    expected_NC = softmax(log_prob_NC, axis=1)
    np.testing.assert_allclose(found.prob, np.take_along_axis(expected_NC, found.label, axis=1))
    assert not found.rest.any()


def test_of_many_classes_the_given_and_the_likeliest_are_kept() -> None:
    log_prob_NC, label_N = RNG.normal(size=(50, 200)), RNG.integers(200, size=50)
    found = find_candidates(log_prob_NC, label_N)
    for row in range(50):
        likeliest = [c for c in np.argsort(-log_prob_NC[row]) if c != label_N[row]]
        kept = set(likeliest[: MAX_CANDIDATES - 1]) | {label_N[row]}
        assert set(found.label[row].tolist()) == kept
    np.testing.assert_allclose(found.prob.sum(axis=1) + found.rest, 1.0)


def test_chunks_do_not_change_the_result(monkeypatch: pytest.MonkeyPatch) -> None:
    log_prob_NC, label_N = RNG.normal(size=(50, 60)), RNG.integers(60, size=50)
    whole = find_candidates(log_prob_NC, label_N)
    monkeypatch.setattr("ml.detection.candidates.CHUNK_ENTRIES", 500)
    parts = find_candidates(log_prob_NC, label_N)
    np.testing.assert_array_equal(parts.label, whole.label)
    np.testing.assert_array_equal(parts.prob, whole.prob)


@pytest.mark.parametrize("num_classes", [5, 60])
def test_a_temperature_is_that_of_the_softmax(num_classes: int) -> None:
    log_prob_NC = log_softmax(RNG.normal(size=(20, num_classes)), axis=1)
    log_prob_NC[:, MAX_CANDIDATES:] = -10.0  # an even rest
    label_N = np.zeros(20, dtype=np.int64)
    found = find_candidates(log_prob_NC, label_N).at_temperature(0.5)
    expected_NC = softmax(log_prob_NC / 0.5, axis=1)
    np.testing.assert_allclose(
        found.prob, np.take_along_axis(expected_NC, found.label, axis=1), rtol=1e-6
    )


def test_calibration_undoes_overconfidence() -> None:
    prob_NC = softmax(RNG.normal(size=(5000, 4)), axis=1)
    label_N = (RNG.random((5000, 1)) > prob_NC.cumsum(axis=1)).sum(axis=1)
    found, log_likelihood = calibrate(find_candidates(3.0 * np.log(prob_NC), label_N))
    given_N = prob_NC[np.arange(5000), label_N]
    np.testing.assert_allclose(found.prob[:, 0], given_N, atol=0.05)
    assert log_likelihood == pytest.approx(np.log(given_N).mean(), abs=0.01)


def test_evenness_is_the_entropy_by_that_of_an_even_spread() -> None:
    log_prob_NC = np.log(np.array([[0.97, 0.01, 0.01, 0.01], [0.25, 0.25, 0.25, 0.25]]))
    found = find_candidates(log_prob_NC, np.array([0, 0])).evenness()
    assert found[0] == pytest.approx(0.121, abs=0.001)
    assert found[1] == pytest.approx(1.0)
    many = find_candidates(np.zeros((1, 90)), np.array([3]))
    assert many.evenness() == pytest.approx([1.0])
