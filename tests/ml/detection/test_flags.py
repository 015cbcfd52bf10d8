import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ml.detection.verdict import surely_wrong, worth_a_look
from ml.types import FloatArray

PROBABILITIES = st.lists(st.floats(0.0, 1.0), min_size=1, max_size=9).map(np.array)


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
