"""Promises break no more often than they say, whatever the ranking and the stated rate."""

import pytest
from scipy import stats

from tests.app.promises.simulated import (
    DELTA,
    RANKINGS,
    STOP_ALPHA,
    STOPS,
    Ranking,
    num_broken_bands,
    num_missed,
)

RUNS = 1_000
_SURE = 0.999
"""So seldom a true promise would be called broken too often; seeds are fixed all the same."""


def _at_most(chance: float) -> int:
    return int(stats.binom(RUNS, chance).ppf(_SURE))


@pytest.mark.parametrize("num_samples", [600, 20_000])
@pytest.mark.parametrize("num_checks", [22, 50])
@pytest.mark.parametrize("ranking", RANKINGS, ids=lambda ranking: ranking.name)
def test_bands_are_accepted_wrongly_no_more_often_than_delta(
    ranking: Ranking, num_checks: int, num_samples: int
) -> None:
    broken = num_broken_bands(ranking, num_samples=num_samples, num_checks=num_checks, runs=RUNS)

    assert broken <= _at_most(DELTA)


def test_a_band_that_is_just_too_bad_is_accepted_now_and_then() -> None:
    """The count above can be more than nothing: else it would show nothing."""
    worst = num_broken_bands(RANKINGS[1], num_samples=20_000, num_checks=22, runs=RUNS)

    assert worst > DELTA / 2 * RUNS


@pytest.mark.parametrize(("num_samples", "num_wrong", "stated_rate"), STOPS)
def test_the_interval_misses_the_truth_at_any_time_no_more_often_than_alpha(
    num_samples: int, num_wrong: int, stated_rate: float
) -> None:
    missed = num_missed(num_samples, num_wrong, stated_rate, runs=RUNS)

    assert missed <= _at_most(STOP_ALPHA)
