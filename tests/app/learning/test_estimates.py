import random

import pytest

from app.learning.estimates import Stratum, stratified, wilson


class TestWilson:
    def test_is_that_of_the_textbook(self) -> None:
        share = wilson(1, 10)
        assert share.estimate == 0.1
        assert share.low == pytest.approx(0.0179, abs=1e-3)
        assert share.high == pytest.approx(0.404, abs=1e-3)

    def test_nothing_found_is_not_nothing_there(self) -> None:
        share = wilson(0, 100)
        assert (share.estimate, share.low) == (0.0, 0.0)
        assert share.high == pytest.approx(0.037, abs=1e-3)

    def test_nothing_drawn_says_nothing(self) -> None:
        assert (wilson(0, 0).low, wilson(0, 0).high) == (0.0, 1.0)


class TestStratified:
    def test_weighs_by_the_size_of_the_stratum(self) -> None:
        flagged = Stratum(num_samples=100, num_drawn=10, num_wrong=9)
        others = Stratum(num_samples=900, num_drawn=90, num_wrong=0)
        share = stratified([flagged, others])
        assert share.estimate == pytest.approx(0.09)
        assert share.low < 0.09 < share.high < wilson(9, 100).high + 0.04

    def test_what_was_drawn_whole_leaves_no_doubt(self) -> None:
        whole = Stratum(num_samples=50, num_drawn=50, num_wrong=20)
        share = stratified([whole])
        assert (share.low, share.estimate, share.high) == (0.4, 0.4, 0.4)

    def test_holds_the_truth_as_often_as_it_says(self) -> None:
        chance = random.Random(1)  # noqa: S311 - a test
        hits = 0
        for _ in range(300):
            strata = [
                _drawn(chance, num=200, rate=0.8, drawn=20),
                _drawn(chance, num=1_800, rate=0.02, drawn=180),
            ]
            share = stratified(strata)
            hits += share.low <= 0.1 * 0.8 + 0.9 * 0.02 <= share.high
        assert 0.93 <= hits / 300 <= 1.0


def _drawn(chance: random.Random, *, num: int, rate: float, drawn: int) -> Stratum:
    num_wrong = sum(chance.random() < rate for _ in range(drawn))
    return Stratum(num_samples=num, num_drawn=drawn, num_wrong=num_wrong)
