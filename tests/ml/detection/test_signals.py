"""Each signal finds planted wrong labels, and can be switched off."""

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

import ml
from ml.detection.signals import DECISIVE, SIGNALS
from ml.types import BoolArray, FeatureArray
from tests.ml.support import noisy_run

LOW_IS_WRONG = ("prediction", "neighbour_agreement", "margin")


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
