import numpy as np
import pytest
from sklearn.metrics import f1_score

from ml.detection.detect import detect
from ml.detection.transition import even_noise
from ml.detection.verdict import MIN_CLASS_SIZE
from ml.types import FloatArray
from tests.ml.detection.predictions import noisy_predictions, uneven_noise
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
    def test_right_labels_are_left_alone(self, clarity: float) -> None:
        case = noisy_predictions(np.eye(4), clarity=clarity)
        found = detect(case.prob, case.given)
        assert found.flagged.mean() <= 0.01
        assert found.noise_rate_interval[0] == 0.0

    def test_ambiguous_images_alone_are_no_noise(self) -> None:
        case = noisy_predictions(np.eye(4), clarity=2.0)
        assert (case.prob.argmax(axis=1) != case.given).mean() > 0.05
        assert detect(case.prob, case.given).flagged.mean() <= 0.02

    @pytest.mark.parametrize("name", MATRICES)
    def test_what_it_says_of_itself_is_near_the_truth(self, name: str) -> None:
        case = noisy_predictions(MATRICES[name])
        found = detect(case.prob, case.given)
        low, high = found.noise_rate_interval
        assert low <= case.is_wrong.mean() <= high
        assert low <= found.noise_rate <= high
        precision = case.is_wrong[found.flagged].mean()
        recall = found.flagged[case.is_wrong].mean()
        assert found.expected_precision == pytest.approx(precision, abs=0.1)
        assert found.expected_recall == pytest.approx(recall, abs=0.1)

    def test_values_are_in_range_and_agree_with_each_other(self) -> None:
        case = noisy_predictions(uneven_noise())
        found = detect(case.prob, case.given)
        for value in (found.p_mislabeled, found.suggested_confidence):
            assert np.all((value >= 0.0) & (value <= 1.0))
        np.testing.assert_array_equal(found.flagged, found.p_mislabeled > 0.5)
        assert np.all(found.suggested_label[found.flagged] != case.given[found.flagged])
        assert np.all(np.diff(found.p_mislabeled[np.argsort(found.rank)]) <= 0.0)

    def test_a_class_of_few_samples_is_not_judged(self) -> None:
        case = noisy_predictions(even_noise(4, 0.2))
        few = np.flatnonzero(case.given == 3)[MIN_CLASS_SIZE - 1 :]
        kept_N = np.delete(np.arange(len(case.given)), few)
        found = detect(case.prob[kept_N], case.given[kept_N])
        is_few_N = case.given[kept_N] == 3
        np.testing.assert_array_equal(np.isnan(found.p_mislabeled), is_few_N)
        assert not found.flagged[is_few_N].any()
        assert found.rank[is_few_N].min() == len(kept_N) - MIN_CLASS_SIZE + 2
        assert np.isfinite(found.noise_rate)

    def test_where_nothing_can_be_judged_nothing_is_claimed(self) -> None:
        found = detect([[0.9, 0.1], [0.2, 0.8]], [0, 0])
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
        ("oof_human9_resnet18", 0.80),
        ("oof_classdep20_resnet18", 0.955),
        ("oof_classdep20_resnet50", 0.785),
        ("oof_sparse40_resnet50", 0.843),
    ],
)
def test_public_sets_reach_their_goals_by_one_rule(name: str, goal: float) -> None:
    arrays = golden(f"{name}.npz")
    is_wrong_N = arrays["given_label"] != arrays["true_label"]
    assert f1_score(is_wrong_N, detect(arrays["pred_probs"], arrays["given_label"]).flagged) >= goal


def test_chunks_do_not_change_the_result(monkeypatch: pytest.MonkeyPatch) -> None:
    case = noisy_predictions(uneven_noise(), num_samples=300)
    feature_ND: FloatArray = case.prob[:, :2]
    whole = detect(case.prob, case.given, feature_ND).p_mislabeled
    monkeypatch.setattr("ml.detection.unmixing.CHUNK_ENTRIES", 40)
    monkeypatch.setattr("ml.detection.neighbours.MAX_SIMILARITIES", 2000)
    np.testing.assert_allclose(
        detect(case.prob, case.given, feature_ND).p_mislabeled, whole, atol=1e-9
    )
