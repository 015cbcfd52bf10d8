"""Corrections by decisions, and which samples to decide first."""

import numpy as np
import pytest

import ml
from ml.types import BoolArray, FloatArray


def too_sure(num: int, seed: int = 0) -> tuple[FloatArray, BoolArray]:
    """Return probabilities and a truth in which the log odds are 1.2 too high."""
    rng = np.random.default_rng(seed)
    p_N = rng.beta(0.4, 1.2, size=num)
    odds_N = p_N / (1.0 - p_N) * np.exp(-1.2)
    return p_N, rng.random(num) < odds_N / (1.0 + odds_N)


def some(num: int, count: int, seed: int = 0) -> BoolArray:
    chosen_N = np.zeros(num, dtype=np.bool_)
    chosen_N[np.random.default_rng(seed).permutation(num)[:count]] = True
    return chosen_N


class TestRecalibrate:
    def test_one_decision_moves_little(self) -> None:
        p_N = np.linspace(0.01, 0.98, 500)
        one_N = np.arange(500) == 250
        no_N = np.zeros(500, dtype=np.bool_)
        start_N = ml.recalibrate(p_N, no_N, no_N).apply(p_N)
        for says_wrong in (True, False):
            moved_N = ml.recalibrate(p_N, np.full(500, says_wrong), one_N).apply(p_N)
            assert 0.0 < np.abs(moved_N - start_N).max() < 0.2

    def test_decisions_show_the_truth(self) -> None:
        p_N, wrong_N = too_sure(4_000)
        fitted = ml.recalibrate(p_N, wrong_N, some(4_000, 1_500))
        at = np.array([0.2, 0.5, 0.8, 0.95])
        odds = at / (1.0 - at) * np.exp(-1.2)
        np.testing.assert_allclose(fitted.apply(at), odds / (1.0 + odds), atol=0.08)
        assert fitted.num_wrong + fitted.num_right == 1_500

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
        assert np.array_equal(first.weight, second.weight)

    def test_an_interval_of_the_audit_is_believed_until_decisions_contradict_it(self) -> None:
        p_N, wrong_N = too_sure(2_000)
        few_N, many_N = some(2_000, 10), some(2_000, 60)
        told = (0.0, 0.05)
        believed = ml.recalibrate(p_N, wrong_N, few_N, noise_rate_interval=told)
        assert believed.count_wrong(p_N[~few_N]).estimate / 2_000 < 0.05
        wrong_N = np.ones(2_000, dtype=np.bool_)
        contradicted = ml.recalibrate(p_N, wrong_N, many_N, noise_rate_interval=told)
        assert contradicted.count_wrong(p_N[~many_N]).estimate / 2_000 > 0.3

    @pytest.mark.parametrize("p", [[1.5, 0.0], [-0.1, 0.2], [np.inf, 0.2]])
    def test_what_is_no_probability_is_refused(self, p: list[float]) -> None:
        with pytest.raises(ValueError, match="between 0 and 1"):
            ml.recalibrate(np.array(p), np.array([True, False]), np.array([True, False]))

    def test_shapes_must_fit(self) -> None:
        with pytest.raises(ValueError, match="same samples"):
            ml.recalibrate(np.zeros(3), np.zeros(2, dtype=np.bool_), np.zeros(3, dtype=np.bool_))


class TestCount:
    def test_the_truth_lies_in_the_interval_and_doubt_shrinks(self) -> None:
        widths, hits = [], []
        for count in (10, 60):
            for seed in range(40):
                p_N, wrong_N = too_sure(2_000, seed)
                decided_N = some(2_000, count, seed)
                fitted = ml.recalibrate(p_N, wrong_N, decided_N)
                left = fitted.count_wrong(p_N[~decided_N])
                hits.append(left.low <= (wrong_N & ~decided_N).sum() <= left.high)
                widths.append(left.high - left.low)
        assert np.mean(hits) >= 0.9
        assert np.mean(widths[40:]) < 0.7 * np.mean(widths[:40])

    def test_thousands_of_decisions_never_leave_false_certainty(self) -> None:
        # The worst were decided first, and all were wrong: of the others that says little.
        rng = np.random.default_rng(0)
        p_N = np.sort(rng.beta(0.4, 1.2, size=20_000))[::-1]
        wrong_N = rng.random(20_000) < np.where(p_N > 0.8, 1.0, 0.3 * p_N)
        decided_N = np.arange(20_000) < 1_500
        left = ml.recalibrate(p_N, wrong_N, decided_N).count_wrong(p_N[~decided_N])
        assert left.low <= (wrong_N & ~decided_N).sum() <= left.high

    def test_there_may_be_none_until_one_is_found(self) -> None:
        p_N = np.full(1_000, 0.3)
        none_N, decided_N = np.zeros(1_000, dtype=np.bool_), some(1_000, 30)
        assert ml.recalibrate(p_N, none_N, decided_N).count_wrong(p_N).low == 0.0
        one_N = np.arange(1_000) == int(decided_N.argmax())
        assert ml.recalibrate(p_N, one_N, decided_N).count_wrong(p_N).low > 0.0

    def test_nothing_left_has_no_errors(self) -> None:
        p_N, wrong_N = too_sure(100)
        left = ml.recalibrate(p_N, wrong_N, np.ones(100, dtype=np.bool_)).count_wrong(p_N[:0])
        assert (left.low, left.estimate, left.high) == (0.0, 0.0, 0.0)


class TestCurve:
    def test_more_finds_more_and_leaves_less_and_ends_with_all(self) -> None:
        p_N, wrong_N = too_sure(1_000)
        decided_N = some(1_000, 200)
        fitted = ml.recalibrate(p_N, wrong_N, decided_N)
        curve = fitted.review_curve(p_N[~decided_N], [10, 100, 500, 5_000])
        assert [point.num for point in curve] == [10, 100, 500, 800]
        found = [point.found.estimate for point in curve]
        assert found == sorted(found)
        # The worst come first: the first hundredth finds more than its share.
        assert found[1] / 100 > found[-1] / 800
        assert curve[-1].left.high == 0.0


class TestPredictiveCheck:
    def test_tells_decisions_that_no_correction_explains(self) -> None:
        p_N, wrong_N = too_sure(2_000)
        decided_N = some(2_000, 400)
        fits = ml.recalibrate(p_N, wrong_N, decided_N)
        assert ml.predictive_check(fits, p_N[decided_N], wrong_N[decided_N]) > 0.01
        # Wrong where the audit is in doubt, right where it is sure.
        odd_N = (p_N > 0.25) & (p_N < 0.9)
        fitted = ml.recalibrate(p_N, odd_N, decided_N)
        assert ml.predictive_check(fitted, p_N[decided_N], odd_N[decided_N]) < 0.01

    def test_without_decisions_nothing_contradicts(self) -> None:
        p_N, wrong_N = too_sure(50)
        fitted = ml.recalibrate(p_N, wrong_N, np.zeros(50, dtype=np.bool_))
        assert ml.predictive_check(fitted, p_N[:0], wrong_N[:0]) == 1.0


def looks(num_samples: int, num: int, seed: int = 0) -> ml.FirstLook:
    p_N = np.linspace(0.9, 0.0, num_samples)
    spread_N = np.where(np.arange(num_samples) < num_samples // 10, 0.3, 0.001)
    may_choose_N = np.ones(num_samples, dtype=np.bool_)
    rng = np.random.default_rng(seed)
    return ml.choose_first_look(p_N, spread_N, may_choose_N, rng, num=num)


def test_every_second_one_is_by_chance_and_none_comes_twice() -> None:
    found = looks(1_000, 31)
    assert found.by_chance.tolist() == [place % 2 == 0 for place in range(31)]
    assert len(set(found.index.tolist())) == 31


def test_chance_takes_each_sample_as_often_and_spreads_over_the_ranking() -> None:
    count_N = np.zeros(20)
    for seed in range(2_000):
        found = looks(20, 10, seed)
        count_N[found.index[found.by_chance]] += 1
    # 5 of 20, with a standard deviation of .01.
    assert np.abs(count_N / 2_000 - 0.25).max() < 0.05
    index = looks(1_000, 40).index[::2]
    assert np.histogram(index, bins=4, range=(0, 1_000))[0].min() >= 4


def test_the_others_are_those_on_which_the_hypotheses_differ() -> None:
    found = looks(1_000, 40)
    assert (found.index[~found.by_chance] < 100).mean() > 0.9


def test_what_is_verified_or_not_judged_is_left_out() -> None:
    p_N = np.array([0.9, np.nan, 0.5, 0.1])
    may_choose_N = np.array([True, True, False, True])
    rng = np.random.default_rng(0)
    found = ml.choose_first_look(p_N, np.full(4, 0.1), may_choose_N, rng)
    assert sorted(found.index.tolist()) == [0, 3]


def test_there_may_be_nothing_to_look_at() -> None:
    none_N = np.zeros(3, dtype=np.bool_)
    rng = np.random.default_rng(0)
    assert len(ml.choose_first_look(np.zeros(3), np.zeros(3), none_N, rng).index) == 0
