import numpy as np
import pytest

from ml.detection.verdict import noise_rate_interval, precision_interval, recall_interval, wilson

P_WRONG = np.array([[0.1] * 200 + [0.0] * 1800, [0.9] * 200 + [0.1] * 1800], dtype=np.float32)
FLAGGED = np.arange(2000) < 200


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
