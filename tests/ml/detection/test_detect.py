import numpy as np
import pytest
from scipy.special import softmax
from sklearn.metrics import f1_score

from ml.detection.detect import detect
from ml.detection.verdict import judge
from ml.types import FloatArray
from tests.ml.detection.predictions import (
    Predictions,
    even_noise,
    noisy_predictions,
    uneven_noise,
)
from tests.ml.support import golden

MATRICES = {"even": even_noise(4, 0.3), "uneven": uneven_noise(), "little": even_noise(4, 0.05)}


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
