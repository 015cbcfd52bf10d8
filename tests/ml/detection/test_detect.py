"""Detection from predictions: outcomes, refusals, laws that hold for any predictions."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import softmax
from sklearn.metrics import f1_score

from ml.detection.detect import detect
from ml.detection.verdict import judge
from ml.types import FloatArray, IntArray
from tests.ml.detection.predictions import Predictions, even_noise, noisy_predictions, uneven_noise
from tests.ml.support import golden

MATRICES = {"even": even_noise(4, 0.3), "uneven": uneven_noise(), "little": even_noise(4, 0.05)}
GOOD = [[0.9, 0.1], [0.2, 0.8], [0.5, 0.5]]
LABELS = [0, 1, 1]
SEEDS = st.integers(0, 2**32 - 1)
TOLERANCE = 1e-6


class TestVerdicts:
    @pytest.mark.parametrize("name", MATRICES)
    def test_wrong_labels_that_the_network_learnt_are_found(self, name: str) -> None:
        case = noisy_predictions(MATRICES[name])
        found = detect(case.prob, case.given)
        assert f1_score(case.is_wrong, found.flagged) >= 0.95
        hits_N = case.is_wrong & found.flagged
        assert np.mean(found.suggested_label[hits_N] == case.true[hits_N]) >= 0.95
        assert found.fallback is None

    @pytest.mark.parametrize("clarity", [3.0, 4.0])
    def test_of_right_labels_few_are_flagged(self, clarity: float) -> None:
        case = noisy_predictions(np.eye(4), clarity=clarity)
        contradicted = (case.prob.argmax(axis=1) != case.given).mean()
        found = detect(case.prob, case.given)
        assert found.flagged.mean() <= contradicted
        assert found.noise_rate_interval[0] == 0.0

    def test_of_ambiguous_images_it_is_said_that_the_noise_rate_is_not_known(self) -> None:
        case = noisy_predictions(np.eye(4), clarity=2.0)
        contradicted = (case.prob.argmax(axis=1) != case.given).mean()
        found = detect(case.prob, case.given)
        low, high = found.noise_rate_interval
        assert low <= 0.01
        assert high >= 0.9 * contradicted

    @pytest.mark.parametrize("name", MATRICES)
    def test_its_intervals_contain_the_truth(self, name: str) -> None:
        case = noisy_predictions(MATRICES[name])
        found = detect(case.prob, case.given)
        truths = {
            found.noise_rate_interval: case.is_wrong.mean(),
            found.expected_precision_interval: case.is_wrong[found.flagged].mean(),
            found.expected_recall_interval: found.flagged[case.is_wrong].mean(),
        }
        assert len(truths) == 3
        assert all(low <= truth <= high for (low, high), truth in truths.items())

    def test_values_are_in_range_and_agree_with_each_other(self) -> None:
        case = noisy_predictions(uneven_noise())
        found = detect(case.prob, case.given)
        for value in (found.p_mislabeled, found.suggested_confidence):
            assert np.all((value >= 0.0) & (value <= 1.0))
        assert found.p_mislabeled[found.flagged].min() >= 0.25
        np.testing.assert_array_equal(found.sure, found.p_mislabeled > 0.9)
        assert np.all(found.suggested_label[found.flagged] != case.given[found.flagged])
        assert np.all(np.diff(found.p_mislabeled[np.argsort(found.rank)]) <= 0.0)

    def test_only_a_sample_alone_in_its_class_is_not_judged(self) -> None:
        prob_NC, label_N = np.eye(4)[np.arange(80) % 4], np.arange(80) % 4
        few_N = np.r_[0:40, 43, 40, 44, 41, 45]  # two more of class 0, two of 1, one of class 3
        prob_NC, label_N = prob_NC[few_N] * 0.97 + 0.0075, label_N[few_N] % 3
        label_N[40] = 3
        found = detect(prob_NC, label_N)
        assert np.flatnonzero(np.isnan(found.p_mislabeled)).tolist() == [40]
        assert found.rank[40] == len(label_N)
        assert not found.flagged[40]

    def test_every_sample_of_small_classes_is_judged(self) -> None:
        case = many_classes(num_samples=12 * 60, num_classes=60)
        found = detect(case.prob, case.given)
        assert np.isfinite(found.p_mislabeled).all()
        assert f1_score(case.is_wrong, found.flagged) >= 0.8

    def test_where_nothing_can_be_judged_nothing_is_claimed(self) -> None:
        found = detect([[0.9, 0.1], [0.2, 0.8]], [0, 1])
        assert np.isnan(found.p_mislabeled).all()
        assert found.noise_rate_interval == (0.0, 1.0)
        assert (found.expected_precision, found.expected_recall) == (None, None)

    def test_certain_and_single_precision_predictions_are_taken(self) -> None:
        label_N = np.arange(400) % 4
        given_N = np.where(np.arange(400) < 40, (label_N + 1) % 4, label_N)
        for dtype in (np.float16, np.float32, np.int64):
            found = detect(np.eye(4, dtype=dtype)[label_N], given_N)
            np.testing.assert_array_equal(np.flatnonzero(found.flagged), np.arange(40))

    def test_the_callers_arrays_are_not_changed(self) -> None:
        case = noisy_predictions(even_noise(4, 0.2), num_samples=200)
        before = case.prob.copy()
        detect(case.prob, case.given)
        np.testing.assert_array_equal(case.prob, before)


class TestWeakNetworks:
    """Predictions that are flat because little was learned look like noise that was learned."""

    def test_half_of_the_hypotheses_take_them_as_they_are(self) -> None:
        case = noisy_predictions(even_noise(4, 0.1), clarity=1.2)
        log_prob_NC = np.log(case.prob)
        low, _ = judge(log_prob_NC, case.given, may_underfit=True).noise_rate_interval
        assert low < judge(log_prob_NC, case.given).noise_rate_interval[0]
        assert low <= case.is_wrong.mean()

    def test_nothing_is_flagged_or_stated_where_the_rate_may_be_anything(self) -> None:
        case = noisy_predictions(even_noise(10, 0.1), clarity=0.7)
        assert (case.prob.argmax(axis=1) != case.given).mean() > 0.5
        found = judge(np.log(case.prob), case.given, may_underfit=True)
        assert found.fallback == "uninformative_predictions"
        assert not found.flagged.any()
        assert found.noise_rate_interval == found.expected_precision_interval == (0.0, 1.0)
        assert found.expected_precision is None


class TestFeatures:
    def test_labels_of_similar_samples_help_a_weak_network(self) -> None:
        case = noisy_predictions(even_noise(4, 0.3), clarity=0.8)
        rng = np.random.default_rng(1)
        feature_ND = 3.0 * np.eye(4)[case.true] + rng.normal(size=(len(case.true), 4))
        alone = detect(case.prob, case.given)
        joined = detect(case.prob, case.given, feature_ND)
        gain = f1_score(case.is_wrong, joined.flagged) - f1_score(case.is_wrong, alone.flagged)
        assert gain >= 0.2

    def test_fewer_samples_than_neighbours_are_enough(self) -> None:
        found = detect([[0.9, 0.1]], [0], [[1.0, 2.0]])
        assert np.isnan(found.p_mislabeled).all()
        assert len(detect(np.full((3, 2), 0.5), [0, 1, 0], np.zeros((3, 1))).rank) == 3


@pytest.mark.parametrize(
    ("name", "goal"),
    [
        ("real_aggre_eff", 0.79),
        ("real_worst_eff", 0.88),
        ("real_roman_eff", 0.42),
        ("real_roman_r18", 0.48),
        ("real_roman_swin", 0.51),
        ("oof_human9_resnet18", 0.80),
        ("oof_classdep20_resnet18", 0.94),
        ("oof_classdep20_resnet50", 0.77),
        ("oof_sparse40_resnet50", 0.88),
    ],
)
def test_public_sets_are_judged_as_well_as_measured_and_the_rate_is_in_its_interval(
    name: str, goal: float
) -> None:
    arrays = golden(f"{name}.npz")
    given_N = arrays["given_label"]
    is_wrong_N = (
        arrays["is_wrong"] if "is_wrong" in arrays else given_N != arrays["true_label"]
    ).astype(np.bool_)
    prob_NC = arrays["pred_probs"].astype(np.float64)
    found = detect(prob_NC / prob_NC.sum(axis=1, keepdims=True), given_N.astype(np.int64))
    low, high = found.noise_rate_interval
    assert f1_score(is_wrong_N, found.flagged) >= goal
    assert low <= is_wrong_N.mean() <= high


def test_chunks_do_not_change_the_result(monkeypatch: pytest.MonkeyPatch) -> None:
    case = noisy_predictions(uneven_noise(), num_samples=300)
    feature_ND: FloatArray = case.prob[:, :2]
    whole = detect(case.prob, case.given, feature_ND).p_mislabeled
    monkeypatch.setattr("ml.detection.candidates.DECONVOLVED_ENTRIES", 40)
    monkeypatch.setattr("ml.detection.neighbours.MAX_SIMILARITIES", 2000)
    np.testing.assert_allclose(
        detect(case.prob, case.given, feature_ND).p_mislabeled, whole, atol=1e-9
    )


def many_classes(num_samples: int, num_classes: int) -> Predictions:
    """Return predictions that give the true class .7 and a few others the rest; 10 % are wrong."""
    rng = np.random.default_rng(0)
    true_N = np.arange(num_samples) % num_classes
    logit_NC = rng.normal(size=(num_samples, num_classes))
    logit_NC[np.arange(num_samples), true_N] += 7.0
    moved_N = (true_N + rng.integers(1, num_classes, num_samples)) % num_classes
    given_N = np.where(rng.random(num_samples) < 0.1, moved_N, true_N)
    return Predictions(softmax(logit_NC, axis=1), given_N, true_N)


@pytest.mark.parametrize(
    ("pred_probs", "reason"),
    [
        ([0.5, 0.5], r"shape \(samples, classes\).*\(2,\)"),
        (np.zeros((0, 2)), "at least one sample"),
        ([[1.0], [1.0], [1.0]], "two classes"),
        ([[0.9, 0.1], [0.2, float("nan")], [0.5, 0.5]], r"row 1 is not finite: \[0.2, nan\]"),
        ([[0.9, 0.1], [0.2, 0.8], [float("inf"), 0.5]], "row 2 is not finite"),
        ([[0.9, 0.1], [1.2, -0.2], [1.1, -0.1]], "row 1 has a negative probability.*2 such rows"),
        ([[0.9, 0.1], [0.2, 0.8], [0.5, 0.6]], r"row 2 sums to 1.1, 0.1 more than 1 \(1 such"),
        ([[0.9, 0.1], [0.2, 0.5], [0.5, 0.6]], r"row 1 sums to 0.7, 0.3 less than 1 \(2 such"),
        (np.array(GOOD, dtype=object), "real numbers, not of object"),
        ([[0.9, 0.1], [1.0], [0.5, 0.5]], "rectangular"),
        ([["a", "b"]] * 3, "real numbers"),
        (np.array(GOOD, dtype=complex), "real numbers"),
    ],
)
def test_wrong_probabilities_are_refused_with_row_and_reason(pred_probs: Any, reason: str) -> None:
    with pytest.raises(ValueError, match=f"^pred_probs.*{reason}"):
        detect(pred_probs, LABELS)


@pytest.mark.parametrize(
    ("given_label", "reason"),
    [
        ([0, 1], r"shape \(3,\).*not \(2,\)"),
        ([[0], [1], [1]], r"not \(3, 1\)"),
        ([0, 1, 2], "row 2 is 2, outside 0 to 1"),
        ([0, -1, 7], r"row 1 is -1, outside 0 to 1 \(2 such rows of 3\)"),
        ([0.0, 1.0, 1.0], "integers, not float64"),
        ([0, None, 1], "not of object"),
        (["cat", "dog", "dog"], "not of <U3"),
        ([True, False, True], "not of bool"),
    ],
)
def test_wrong_labels_are_refused_with_row_and_reason(given_label: Any, reason: str) -> None:
    with pytest.raises(ValueError, match=f"^given_label.*{reason}"):
        detect(GOOD, given_label)


@pytest.mark.parametrize(
    ("features", "reason"),
    [
        ([[1.0], [2.0]], r"\(3, dimensions\), not \(2, 1\)"),
        ([1.0, 2.0, 3.0], r"not \(3,\)"),
        (np.zeros((3, 0)), r"not \(3, 0\)"),
        ([[1.0], [float("nan")], [2.0]], "row 1 is not finite"),
        ([[1.0], [2.0], [1e300]], r"row 2 is not finite: \[1e\+300\]"),
    ],
)
def test_wrong_features_are_refused_with_row_and_reason(features: Any, reason: str) -> None:
    with pytest.raises(ValueError, match=f"^features.*{reason}"):
        detect(GOOD, LABELS, features)


def test_long_rows_are_cut_in_the_message() -> None:
    with pytest.raises(ValueError, match="…"):
        detect(np.full((1, 50), -1.0), [0])


@st.composite
def any_predictions(draw: st.DrawFn) -> tuple[FloatArray, IntArray]:
    """Return predictions of any temperature and labels that agree with them more or less."""
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
