"""Laws that hold for any predictions."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from ml.detection.detect import detect
from ml.types import FloatArray, IntArray
from tests.ml.detection.predictions import Predictions, even_noise, noisy_predictions

SEEDS = st.integers(0, 2**32 - 1)
TOLERANCE = 1e-6


@st.composite
def any_predictions(draw: st.DrawFn) -> tuple[FloatArray, IntArray]:
    """Return predictions of any sharpness and labels that agree with them more or less."""
    rng = np.random.default_rng(draw(SEEDS))
    num_samples, num_classes = draw(st.integers(1, 120)), draw(st.integers(2, 6))
    prob_NC = rng.dirichlet(np.full(num_classes, draw(st.floats(0.02, 20.0))), num_samples)
    is_agreed_N = rng.random(num_samples) < draw(st.floats(0.0, 1.0))
    any_N = rng.integers(0, num_classes, num_samples)
    return prob_NC, np.where(is_agreed_N, prob_NC.argmax(axis=1), any_N)


@st.composite
def network_predictions(draw: st.DrawFn) -> Predictions:
    """Return predictions of a network that learnt evenly noisy labels."""
    matrix_CC = even_noise(draw(st.integers(2, 5)), draw(st.floats(0.0, 0.4)))
    return noisy_predictions(matrix_CC, num_samples=400, seed=draw(SEEDS))


@settings(max_examples=60, deadline=None)
@given(any_predictions())
def test_any_predictions_give_probabilities(case: tuple[FloatArray, IntArray]) -> None:
    found = detect(*case)
    p_M = found.p_mislabeled[~np.isnan(found.p_mislabeled)]
    assert np.all((p_M >= 0.0) & (p_M <= 1.0))
    assert np.all((found.suggested_confidence >= 0.0) & (found.suggested_confidence <= 1.0))
    low, high = found.noise_rate_interval
    assert 0.0 <= low <= found.noise_rate + TOLERANCE
    assert found.noise_rate - TOLERANCE <= high <= 1.0
    assert sorted(found.rank.tolist()) == list(range(1, len(found.rank) + 1))


@settings(max_examples=20, deadline=None)
@given(network_predictions(), SEEDS)
def test_the_order_of_the_samples_does_not_matter(case: Predictions, seed: int) -> None:
    order_N = np.random.default_rng(seed).permutation(len(case.given))
    found, moved = detect(case.prob, case.given), detect(case.prob[order_N], case.given[order_N])
    np.testing.assert_allclose(moved.p_mislabeled, found.p_mislabeled[order_N], atol=TOLERANCE)
    np.testing.assert_array_equal(moved.suggested_label, found.suggested_label[order_N])


@settings(max_examples=20, deadline=None)
@given(network_predictions(), SEEDS)
def test_the_numbers_of_the_classes_do_not_matter(case: Predictions, seed: int) -> None:
    new_C = np.random.default_rng(seed).permutation(case.prob.shape[1])
    found = detect(case.prob, case.given)
    moved = detect(case.prob[:, np.argsort(new_C)], new_C[case.given])
    np.testing.assert_allclose(moved.p_mislabeled, found.p_mislabeled, atol=TOLERANCE)
    np.testing.assert_array_equal(moved.suggested_label, new_C[found.suggested_label])


@settings(max_examples=20, deadline=None)
@given(network_predictions(), st.integers(0, 399), st.floats(0.0, 1.0))
def test_more_confidence_in_another_class_never_clears_a_label(
    case: Predictions, sample: int, share: float
) -> None:
    before = detect(case.prob, case.given).p_mislabeled[sample]
    other = (case.given[sample] + 1) % case.prob.shape[1]
    prob_NC = case.prob.copy()
    prob_NC[sample] *= 1.0 - share
    prob_NC[sample, other] += share
    # The one sample also moves what is typical of all, by its share of them.
    assert detect(prob_NC, case.given).p_mislabeled[sample] >= before - 0.02
