"""The same picture under several labels, without a network."""

from dataclasses import replace

import numpy as np
import pytest

import ml
from ml.detection.kinds import CONFLICT
from ml.types import FloatArray

PROB_NC = np.array(
    [
        [0.90, 0.06, 0.04],
        [0.90, 0.06, 0.04],
        [0.10, 0.80, 0.10],
        [0.10, 0.80, 0.10],
        [0.05, 0.05, 0.90],
        [0.98, 0.01, 0.01],
        [0.01, 0.98, 0.01],
        [0.02, 0.08, 0.90],
    ]
)
LABEL_N = np.array([0, 1, 1, 2, 2, 0, 1, 0])
"""The second, the fourth and the last look wrong."""
ALONE_N = np.arange(8)
NOBODY_N = np.zeros(8, dtype=np.bool_)


def findings(prob_NC: FloatArray = PROB_NC) -> ml.Findings:
    detection = ml.detect(prob_NC, LABEL_N)
    return ml.Findings.of(detection, LABEL_N, loss=np.zeros(8), signals={})


def pictures(*same: tuple[int, ...]) -> ml.Pictures:
    number_M = ALONE_N.copy()
    for group in same:
        number_M[list(group)] = group[0]
    return ml.Pictures(number=number_M, label=LABEL_N, judged=ALONE_N)


def in_order(marked: ml.Findings) -> list[int]:
    return [int(row) for row in np.argsort(marked.rank)]


class TestMarkConflicts:
    def test_come_first_group_by_group_and_are_worth_a_look(self) -> None:
        before = replace(findings(), flagged=NOBODY_N)
        marked = ml.mark_conflicts(before, pictures((0, 1), (4, 5)), NOBODY_N)
        assert in_order(marked)[:4] == [1, 0, 4, 5]
        assert in_order(marked)[4:] == [row for row in in_order(before) if row not in {0, 1, 4, 5}]
        assert np.flatnonzero(marked.verdict == CONFLICT).tolist() == [0, 1, 4, 5]
        assert np.flatnonzero(marked.flagged).tolist() == [0, 1, 4, 5]
        assert marked.suggested_label[[0, 1, 4, 5]].tolist() == [1, 0, 0, 2]

    def test_probabilities_and_rates_stay_those_of_the_model(self) -> None:
        before = findings()
        marked = ml.mark_conflicts(before, pictures((5, 6)), NOBODY_N)
        for name in ("p_mislabeled", "noise_rate", "expected_precision", "expected_recall", "sure"):
            np.testing.assert_array_equal(getattr(marked, name), getattr(before, name))
        assert marked.suggested_confidence[5] < 0.2  # the model is sure of the given label

    def test_the_suggestion_leaves_the_likely_classes_and_the_former_one_enters(self) -> None:
        before = findings()
        marked = ml.mark_conflicts(before, pictures((5, 4)), NOBODY_N)
        assert before.likely is not None
        assert marked.likely is not None
        named = {before.suggested_label[5], *before.likely.label[5].tolist()}
        assert {marked.suggested_label[5], *marked.likely.label[5].tolist()} == named
        assert marked.suggested_label[5] == 2
        shares = marked.likely.probability[5].tolist()
        assert shares == sorted(shares, reverse=True)

    @pytest.mark.parametrize(
        ("same", "suggested"),
        [
            ((0, 1, 2, 4), 1),  # the most frequent of the others
            ((7, 1, 4), 2),  # of as frequent ones the most probable
        ],
    )
    def test_of_several_other_labels(self, same: tuple[int, ...], suggested: int) -> None:
        marked = ml.mark_conflicts(findings(), pictures(same), NOBODY_N)
        assert marked.suggested_label[same[0]] == suggested

    def test_is_certain_also_where_the_model_could_not_judge(self) -> None:
        before = findings()
        p_N = before.p_mislabeled.copy()
        p_N[[0, 1]] = np.nan
        before = replace(before, p_mislabeled=p_N, rank=np.array([7, 8, 1, 2, 3, 4, 5, 6]))
        marked = ml.mark_conflicts(before, pictures((0, 1)), NOBODY_N)
        assert in_order(marked)[:2] == [0, 1]
        assert marked.flagged[[0, 1]].all()

    def test_verified_labels_are_no_suspects_but_speak_against_others(self) -> None:
        verified_N = ALONE_N == 1
        marked = ml.mark_conflicts(findings(), pictures((0, 1)), verified_N)
        assert np.flatnonzero(marked.verdict == CONFLICT).tolist() == [0]
        assert in_order(marked)[0] == 0
        assert marked.suggested_label[0] == 1

    def test_samples_that_were_not_judged_speak_against_others_too(self) -> None:
        shown = ml.Pictures(
            number=np.array([*ALONE_N, 6]), label=np.array([*LABEL_N, 2]), judged=ALONE_N
        )
        marked = ml.mark_conflicts(findings(), shown, NOBODY_N)
        assert np.flatnonzero(marked.verdict == CONFLICT).tolist() == [6]
        assert marked.suggested_label[6] == 2

    def test_copies_with_one_label_are_none(self) -> None:
        before = findings()
        assert ml.mark_conflicts(before, pictures((0, 5), (1, 2)), NOBODY_N) is before


def test_a_report_counts_them_but_learns_no_structure_from_them() -> None:
    marked = ml.mark_conflicts(findings(), pictures((5, 6)), NOBODY_N)
    summary = ml.summarise(
        marked, LABEL_N, predicted_N=PROB_NC.argmax(axis=1), class_names=["a", "b", "c"],
        mixture=None, histogram=None,
    )  # fmt: skip
    assert summary["verdicts"][CONFLICT] == 2
    assert summary["num_flagged"] == int(marked.flagged.sum())
    by_model = marked.flagged & (marked.verdict != CONFLICT)
    assert sum(pair["count"] for pair in summary["class_pairs"]) == int(by_model.sum())
