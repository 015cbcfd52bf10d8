"""Verdicts on samples, and the other classes that each may be of."""

from typing import Any

import numpy as np
import pytest

from ml.detection.candidates import Candidates
from ml.detection.kinds import KINDS, choose_verdicts, hardness, kind_scores, likely_classes
from ml.detection.transition import TrueClass
from ml.types import FloatArray, StrArray

NUM_SAMPLES = 200


def spread_over(*classes: int) -> FloatArray:
    """Return a prediction that is even over these of five classes."""
    prob_C = np.full(5, 1e-6)
    prob_C[list(classes)] = 1.0 / len(classes)
    return np.asarray(prob_C / prob_C.sum(), dtype=np.float64)


def scores_of(prediction_NC: FloatArray, true_class_NC: FloatArray) -> dict[str, FloatArray]:
    """Return the scores of samples whose candidates are all of the five classes."""
    label_NC = np.tile(np.arange(5), (len(prediction_NC), 1))
    rest_N = np.zeros(len(prediction_NC))
    prediction = Candidates(label=label_NC, prob=prediction_NC, rest=rest_N, num_classes=5)
    return kind_scores(prediction, TrueClass(prob=true_class_NC, rest=rest_N))


def verdicts(**changes: object) -> StrArray:
    """Return verdicts on samples that are clean but for what is changed in the first one."""
    given: dict[str, Any] = {
        "off_topic": np.zeros(NUM_SAMPLES),
        "ambiguous": np.zeros(NUM_SAMPLES),
        "disagreement": np.zeros(NUM_SAMPLES),
        "p_mislabeled_N": np.zeros(NUM_SAMPLES),
        "flagged_N": np.zeros(NUM_SAMPLES, dtype=np.bool_),
        "is_copy_N": np.zeros(NUM_SAMPLES, dtype=np.bool_),
    }
    for name, value in changes.items():
        given[name][0] = value
    scores = {name: given.pop(name) for name in ("off_topic", "ambiguous", "disagreement")}
    return choose_verdicts(scores, label_N=np.arange(NUM_SAMPLES) % 5, **given)


class TestScores:
    def test_what_looks_like_no_class_is_off_topic_more_than_what_looks_like_two(self) -> None:
        prob_NC = np.stack([spread_over(0), spread_over(0, 1), spread_over(0, 1, 2, 3, 4)])
        off_topic = scores_of(prob_NC, prob_NC)["off_topic"]
        assert off_topic == pytest.approx([0.0, np.log(2) / np.log(5), 1.0], abs=1e-3)

    def test_a_label_that_settles_the_class_leaves_nothing_ambiguous(self) -> None:
        prediction_NC = np.stack([spread_over(0, 1), spread_over(0, 1)])
        true_class_NC = np.stack([spread_over(0), spread_over(0, 1)])
        settled, open_ = scores_of(prediction_NC, true_class_NC)["ambiguous"]
        assert settled < 0.02
        assert open_ > 0.4

    def test_hard_is_what_was_doubted_and_is_right(self) -> None:
        score_N = hardness(np.array([0.8, 0.8, 0.0, 0.8]), np.array([0.1, 0.9, 0.1, np.nan]))
        assert score_N == pytest.approx([0.72, 0.08, 0.0, 0.8])


class TestVerdicts:
    @pytest.mark.parametrize(
        ("changes", "expected"),
        [
            ({}, "clean"),
            ({"disagreement": 0.9}, "hard"),
            ({"disagreement": 0.9, "ambiguous": 0.9}, "ambiguous"),
            ({"ambiguous": 0.9, "is_copy_N": True}, "duplicate"),
            ({"is_copy_N": True, "flagged_N": True}, "mislabeled"),
            ({"flagged_N": True, "off_topic": 0.95}, "off_topic"),
            ({"off_topic": 0.95, "p_mislabeled_N": np.nan}, "not_judged"),
        ],
    )
    def test_the_first_that_applies(self, changes: dict[str, object], expected: str) -> None:
        found_N = verdicts(**changes)
        assert found_N[0] == expected
        assert set(found_N[1:]) == {"clean"}

    def test_a_network_that_is_unsure_of_everything_calls_nothing_off_topic(self) -> None:
        rng = np.random.default_rng(0)
        scores = {"off_topic": rng.uniform(0.7, 0.9, 200), "ambiguous": rng.uniform(0.5, 0.8, 200)}
        found_N = choose_verdicts(
            scores,
            p_mislabeled_N=np.zeros(200),
            flagged_N=np.zeros(200, dtype=np.bool_),
            is_copy_N=np.zeros(200, dtype=np.bool_),
            label_N=np.arange(200) % 5,
        )
        assert set(found_N) == {"clean"}

    def test_every_verdict_is_explained(self) -> None:
        assert all(KINDS[str(verdict)] for verdict in verdicts(flagged_N=True))


class TestLikelyClasses:
    def test_are_the_most_probable_but_the_suggested_one(self) -> None:
        generator = np.random.default_rng(0)
        prob_NK = generator.dirichlet(np.full(20, 0.3), 100)
        label_NK = generator.permuted(np.tile(np.arange(50, 70), (100, 1)), axis=1)
        suggested_N = generator.integers(20, size=100)
        found = likely_classes(label_NK, prob_NK, suggested_N, num=6)
        for row in range(100):
            order = [k for k in np.argsort(-prob_NK[row]) if k != suggested_N[row]]
            assert found.label[row].tolist() == label_NK[row, order[:6]].tolist()
            assert np.allclose(found.probability[row], prob_NK[row, order[:6]])

    def test_of_two_classes_the_other_one_is_left(self) -> None:
        label_NK = np.array([[0, 1], [0, 1]])
        found = likely_classes(label_NK, np.array([[0.7, 0.3], [0.2, 0.8]]), np.array([0, 0]))
        assert found.label.tolist() == [[1], [1]]
        assert found.probability[:, 0] == pytest.approx([0.3, 0.8])
