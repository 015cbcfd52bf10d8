import numpy as np
import pytest

import ml
from ml.types import BoolArray, FloatArray


def too_sure(num: int, seed: int = 0) -> tuple[FloatArray, BoolArray]:
    """Return probabilities and a truth in which they are wrong by a factor."""
    rng = np.random.default_rng(seed)
    p_N = rng.uniform(size=num)
    return p_N, rng.random(num) < p_N**3


def some(num: int, count: int, seed: int = 0) -> BoolArray:
    chosen_N = np.zeros(num, dtype=np.bool_)
    chosen_N[np.random.default_rng(seed).permutation(num)[:count]] = True
    return chosen_N


class TestRecalibrate:
    def test_without_decisions_nothing_changes(self) -> None:
        p_N = np.linspace(0.01, 0.98, 200)
        fitted = ml.recalibrate(p_N, p_N > 0.5, np.zeros(200, dtype=np.bool_))
        assert np.abs(fitted.apply(p_N) - p_N).max() < 0.05

    def test_one_decision_moves_little(self) -> None:
        p_N, wrong_N = too_sure(500)
        one_N = np.arange(500) == int(np.abs(p_N - 0.5).argmin())
        for says_wrong in (True, False):
            moved_N = ml.recalibrate(p_N, np.full(500, says_wrong), one_N).apply(p_N)
            assert np.abs(moved_N - p_N).max() < 0.2
        assert wrong_N.any()

    def test_many_decisions_show_the_truth(self) -> None:
        p_N, wrong_N = too_sure(4_000)
        fitted = ml.recalibrate(p_N, wrong_N, some(4_000, 1_500))
        at = np.array([0.2, 0.5, 0.8, 0.95])
        np.testing.assert_allclose(fitted.apply(at), at**3, atol=0.08)
        assert fitted.num_wrong + fitted.num_right == 1_500

    def test_that_the_worst_were_decided_first_does_no_harm(self) -> None:
        p_N, wrong_N = too_sure(4_000)
        fitted = ml.recalibrate(p_N, wrong_N, p_N > 0.6)
        assert abs(float(fitted.apply(np.array([0.7]))[0]) - 0.343) < 0.08

    def test_order_is_kept_and_what_is_not_judged_stays_so(self) -> None:
        p_N, wrong_N = too_sure(1_000)
        q_N = ml.recalibrate(p_N, wrong_N, some(1_000, 100)).apply(np.sort(p_N))
        assert (np.diff(q_N) >= 0.0).all()
        assert 0.0 < q_N.min() <= q_N.max() < 1.0
        with_gap = np.append(p_N, np.nan)
        fitted = ml.recalibrate(with_gap, np.append(wrong_N, True), np.full(1_001, True))  # noqa: FBT003 - an array's value
        assert np.isnan(fitted.apply(with_gap)).nonzero()[0].tolist() == [1_000]
        assert fitted.num_wrong == int(wrong_N.sum())

    def test_equal_decisions_give_equal_results(self) -> None:
        p_N, wrong_N = too_sure(500)
        first, second = (ml.recalibrate(p_N, wrong_N, some(500, 60)) for _ in range(2))
        assert np.array_equal(first.log_odds, second.log_odds)

    @pytest.mark.parametrize("p", [[1.5, 0.0], [-0.1, 0.2], [np.inf, 0.2]])
    def test_what_is_no_probability_is_refused(self, p: list[float]) -> None:
        with pytest.raises(ValueError, match="between 0 and 1"):
            ml.recalibrate(np.array(p), np.array([True, False]), np.array([True, False]))

    def test_shapes_must_fit(self) -> None:
        with pytest.raises(ValueError, match="same samples"):
            ml.recalibrate(np.zeros(3), np.zeros(2, dtype=np.bool_), np.zeros(3, dtype=np.bool_))


class TestRemaining:
    def test_the_truth_lies_in_the_interval_and_doubt_shrinks(self) -> None:
        widths, hits = [], []
        for count in (60, 600):
            for seed in range(5):
                p_N, wrong_N = too_sure(2_000, seed)
                decided_N = some(2_000, count, seed)
                fitted = ml.recalibrate(p_N, wrong_N, decided_N)
                left = ml.estimate_remaining(fitted, p_N, ~decided_N)
                hits.append(left.low <= (wrong_N & ~decided_N).sum() <= left.high)
                widths.append(left.high - left.low)
        assert sum(hits) >= 9
        assert max(widths[5:]) < min(widths[:5])

    def test_nothing_left_has_no_errors(self) -> None:
        p_N, wrong_N = too_sure(100)
        all_N = np.full(100, fill_value=True)
        left = ml.estimate_remaining(ml.recalibrate(p_N, wrong_N, all_N), p_N, ~all_N)
        assert (left.low, left.estimate, left.high) == (0.0, 0.0, 0.0)


class TestCurve:
    def test_more_finds_more_and_leaves_less_and_ends_with_all(self) -> None:
        p_N, wrong_N = too_sure(1_000)
        decided_N = some(1_000, 200)
        fitted = ml.recalibrate(p_N, wrong_N, decided_N)
        curve = ml.review_curve(fitted, p_N, ~decided_N, [10, 100, 500, 5_000])
        assert [point.num for point in curve] == [10, 100, 500, 800]
        found = [point.found.estimate for point in curve]
        assert found == sorted(found)
        # The worst come first: the first hundredth finds more than its share.
        assert found[1] / 100 > found[-1] / 800
        assert curve[-1].left.high == 0.0
