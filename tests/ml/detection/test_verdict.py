"""Flags, and intervals of the rates."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ml.detection.verdict import (
    noise_rate_interval,
    precision_interval,
    recall_interval,
    surely_wrong,
    wilson,
    worth_a_look,
)
from ml.types import FloatArray

PROBABILITIES = st.lists(st.floats(0.0, 1.0), min_size=1, max_size=9).map(np.array)
P_WRONG = np.array([[0.1] * 200 + [0.0] * 1800, [0.9] * 200 + [0.1] * 1800], dtype=np.float32)
FLAGGED = np.arange(2000) < 200


def expected_f1(p_N: FloatArray, num: int) -> float:
    top = np.sort(p_N)[::-1][:num].sum()
    return float(2.0 * top / (num + p_N.sum()))


@given(PROBABILITIES)
def test_no_other_number_of_worthy_samples_has_a_greater_expected_f1(p_N: FloatArray) -> None:
    flagged_N = worth_a_look(p_N)
    num_worthy = int((p_N >= 0.25).sum())
    if num_worthy == 0:
        assert not flagged_N.any()
        return
    best = max(expected_f1(p_N, num) for num in range(1, num_worthy + 1))
    assert expected_f1(p_N, int(flagged_N.sum())) == pytest.approx(best)
    assert p_N[flagged_N].min() >= p_N[~flagged_N].max(initial=0.0)


def test_what_yields_too_little_is_not_worth_a_look() -> None:
    p_N = np.array([0.24, 0.2, np.nan, 0.1])
    assert not worth_a_look(p_N).any()
    assert worth_a_look(p_N, min_yield=0.2).tolist() == [True, True, False, False]


def test_sure_is_above_nine_tenths() -> None:
    assert surely_wrong(np.array([0.95, 0.9, 0.5, np.nan])).tolist() == [True, False, False, False]


def test_the_noise_rate_spans_the_hypotheses() -> None:
    low, high = noise_rate_interval(P_WRONG)
    assert low == pytest.approx(0.007, abs=0.001)
    assert high == pytest.approx(0.197, abs=0.001)


def test_a_rate_that_few_contradictions_make_is_not_told_from_none() -> None:
    assert noise_rate_interval(P_WRONG[:, 150:])[0] == 0.0


def test_precision_spans_the_hypotheses_with_the_error_of_so_few() -> None:
    low, high = precision_interval(P_WRONG, FLAGGED)
    assert (low, high) == pytest.approx((wilson(0.1, 200)[0], wilson(0.9, 200)[1]))


def test_recall_allows_for_errors_that_no_prediction_shows() -> None:
    low, high = recall_interval(P_WRONG, FLAGGED)
    assert low == pytest.approx(0.5 * wilson(0.5, 190)[0], abs=0.01)
    assert high == 1.0


def test_without_flags_nothing_is_known() -> None:
    none = np.zeros(2000, dtype=np.bool_)
    assert precision_interval(P_WRONG, none) == (0.0, 1.0)
    assert recall_interval(P_WRONG, none) == (0.0, 1.0)
    assert noise_rate_interval(P_WRONG[:, :0]) == (0.0, 1.0)


def test_wilson_is_the_published_interval() -> None:
    assert wilson(0.15, 20) == pytest.approx((0.0524, 0.3604), abs=1e-3)
