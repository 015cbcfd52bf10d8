"""Each signal finds planted wrong labels, and can be switched off."""

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

import ml
from ml.detection import signals
from ml.detection.neighbours import unit
from ml.detection.signals import DECISIVE, SIGNALS, leave_one_out_log_prob
from ml.types import BoolArray, FeatureArray, IntArray
from tests.ml.support import noisy_run

LOW_IS_WRONG = ("prediction", "neighbour_agreement", "margin")
NUM_SAMPLES = 60


def features() -> FeatureArray:
    """Return the mean colours of the images: what a network might see in them."""
    image_NHWC = noisy_run()[0]
    return np.asarray(image_NHWC.mean(axis=(1, 2)), dtype=np.float16)


def is_wrong() -> BoolArray:
    _, label_N, given_N, _ = noisy_run()
    return np.asarray(given_N != label_N)


def score(*names: str) -> ml.Findings:
    _, _, given_N, state = noisy_run()
    return ml.score(state, given_N, features(), signals=names)


@pytest.mark.parametrize("name", SIGNALS)
class TestEach:
    def test_finds_planted_errors(self, name: str) -> None:
        value_N = score(*SIGNALS).signals[name]
        assert np.isfinite(value_N).all()
        sign = -1.0 if name in LOW_IS_WRONG else 1.0
        assert roc_auc_score(is_wrong(), sign * value_N) >= 0.95

    def test_is_not_stored_when_it_is_off_and_the_others_are(self, name: str) -> None:
        others = SIGNALS.keys() - {name}
        assert score(*others).signals.keys() & SIGNALS.keys() == others

    def test_weighs_in_only_where_it_says_which_class(self, name: str) -> None:
        with_all, without = score(*SIGNALS), score(*SIGNALS.keys() - {name})
        is_same = np.array_equal(with_all.p_mislabeled, without.p_mislabeled)
        assert is_same == (name not in DECISIVE)


@pytest.mark.parametrize("name", DECISIVE)
def test_one_decisive_signal_alone_finds_the_errors(name: str) -> None:
    findings = score(name)
    assert set(findings.signals) & set(SIGNALS) == {name}
    assert np.mean(is_wrong()[findings.flagged]) >= 0.9
    assert np.mean(findings.flagged[is_wrong()]) >= 0.9


def test_the_scores_of_kinds_go_with_the_signals_they_are_made_of() -> None:
    assert {"hard", "duplicate"} <= score(*SIGNALS).signals.keys()
    assert "hard" not in score(*SIGNALS.keys() - {"disagreement"}).signals
    assert "duplicate" not in score(*SIGNALS.keys() - {"neighbour_agreement"}).signals


def test_an_unknown_signal_is_named() -> None:
    with pytest.raises(ValueError, match="unknown signal 'moods'; known: prediction, "):
        score("prediction", "moods")


@pytest.mark.parametrize("names", [(), ("posterior", "margin")])
def test_something_must_say_which_class_it_is(names: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match="one of these signals: prediction, neighbour_agreement"):
        score(*names)


def test_neighbours_need_features() -> None:
    _, _, given_N, state = noisy_run()
    with pytest.raises(ValueError, match="no features"):
        ml.score(state, given_N, signals=["neighbour_agreement"])


def class_features(seed: int = 0, noise: float = 1.0) -> tuple[NDArray[np.float32], IntArray]:
    rng = np.random.default_rng(seed)
    label_N = np.arange(NUM_SAMPLES) % 3
    feature_ND = 3.0 * np.eye(3, 8)[label_N] + noise * rng.normal(size=(NUM_SAMPLES, 8))
    return feature_ND.astype(np.float32), label_N


def test_each_sample_is_scored_by_the_regression_on_all_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(signals, "RIDGES", np.array([1.0]))
    feature_ND, label_N = class_features()
    found = leave_one_out_log_prob(feature_ND, label_N, num_classes=3)
    unit_ND = unit(feature_ND, feature_ND.mean(axis=0)).astype(np.float64)
    unit_ND -= unit_ND.mean(axis=0)
    target_NC = np.eye(3)[label_N]
    score_NC = np.empty((NUM_SAMPLES, 3))
    for left_out in range(NUM_SAMPLES):
        kept = np.delete(np.arange(NUM_SAMPLES), left_out)
        x, t = unit_ND[kept], target_NC[kept]
        centred = x - x.mean(axis=0)
        weight = np.linalg.solve(centred.T @ centred + np.eye(8), centred.T @ (t - t.mean(axis=0)))
        score_NC[left_out] = t.mean(axis=0) + (unit_ND[left_out] - x.mean(axis=0)) @ weight
    differences = score_NC - score_NC[:, :1]
    log_odds = found - found[:, :1]
    scale = (log_odds * differences).sum() / (differences**2).sum()
    np.testing.assert_allclose(log_odds, scale * differences, atol=0.02 * np.abs(log_odds).max())


def test_a_wrong_label_is_contradicted_also_where_there_are_more_features_than_samples() -> None:
    rng = np.random.default_rng(1)
    label_N = np.arange(NUM_SAMPLES) % 3
    feature_ND = 4.0 * np.eye(3, 200)[label_N] + 0.3 * rng.normal(size=(NUM_SAMPLES, 200))
    given_N = label_N.copy()
    given_N[:5] = (given_N[:5] + 1) % 3
    found = leave_one_out_log_prob(feature_ND.astype(np.float16), given_N, num_classes=3)
    np.testing.assert_array_equal(found.argmax(axis=1), label_N)


def test_rows_are_log_probabilities() -> None:
    feature_ND, label_N = class_features(noise=3.0)
    found = leave_one_out_log_prob(feature_ND, label_N, num_classes=4)
    np.testing.assert_allclose(np.exp(found).sum(axis=1), 1.0)
