"""Promises broken by chance: everything is drawn anew, and the reviewer makes no mistake.

`python -m tests.app.promises.simulated` counts 10,000 runs of each setting.
"""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from app.promises.bounds import (
    Checks,
    RatePrior,
    allowed,
    good_share_bound,
    is_reached,
    wrong_interval,
)
from app.promises.terms import SHARES, band_sizes, draw_bands, draw_stop

DELTA = ALPHA = 0.1
STOP_ALPHA = 0.05


@dataclass(frozen=True)
class Ranking:
    """How many samples are not good between the ends of two bands, as a share of these."""

    name: str
    bad: Sequence[float]


RANKINGS = (
    Ranking("just too bad in the first band", [0.11] + [0.0] * 8),
    Ranking("just too bad at the very end", [0.0] * 8 + [0.42]),
    Ranking("good, then all bad", [0.0, 0.0, 0.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0]),
    Ranking("at the edge in each band", [0.1] * 9),
    Ranking("worse and worse", [0.02, 0.04, 0.06, 0.09, 0.13, 0.2, 0.3, 0.4, 0.6]),
    Ranking("upside down", [0.6, 0.4, 0.3, 0.2, 0.13, 0.09, 0.06, 0.04, 0.02]),
    Ranking("every second band bad", [0.0, 0.3, 0.0, 0.3, 0.0, 0.3, 0.0, 0.3, 0.0]),
)


def num_broken_bands(ranking: Ranking, *, num_samples: int, num_checks: int, runs: int) -> int:
    """Return in how many runs a band was accepted of which more than alpha is not good.

    Draws are those of the service, each run with a seed of its own.
    """
    sizes = band_sizes(SHARES, num_samples)
    is_bad = np.concatenate(
        [
            np.arange(end - start) < round(share * (end - start))
            for start, end, share in zip([0, *sizes], sizes, ranking.bad, strict=False)
        ]
    )
    is_too_bad = [int(is_bad[:size].sum()) > allowed(ALPHA, size) for size in sizes]
    return sum(_is_broken(seed, sizes, num_checks, is_bad, is_too_bad) for seed in range(runs))


def _is_broken(
    seed: int,
    sizes: Sequence[int],
    num_checks: int,
    is_bad: NDArray[np.bool_],
    is_too_bad: Sequence[bool],
) -> bool:
    draws = draw_bands(seed, sizes, num_checks)
    for size, too_bad, places in zip(sizes, is_too_bad, draws, strict=True):
        num_good = len(places) - int(is_bad[np.array(places) - 1].sum())
        if num_good < _fewest_good(len(places), size):
            return False
        if too_bad:
            return True
    return False


@cache
def _fewest_good(num_checks: int, num_samples: int) -> int:
    """Return how many checks must be good; one more than there are where no number will do."""
    for num_good in range(num_checks + 1):
        bound = good_share_bound(num_good, num_checks, num_samples, delta=DELTA)
        if is_reached(bound, ALPHA):
            return num_good
    return num_checks + 1


def num_missed(num_samples: int, num_wrong: int, stated_rate: float, *, runs: int) -> int:
    """Return in how many runs the interval missed the truth at one time or another.

    All samples are checked in each run: nobody who stops at any time can do worse.
    """
    prior = RatePrior.of(stated_rate, num_samples)
    holds = np.array(
        [
            [_holds(num_samples, num_wrong, t, x, prior) for x in range(num_wrong + 1)]
            for t in range(num_samples + 1)
        ]
    )
    times = np.arange(num_samples + 1)
    return sum(
        bool((~holds[times, _found(seed, num_samples, num_wrong)]).any()) for seed in range(runs)
    )


def _found(seed: int, num_samples: int, num_wrong: int) -> NDArray[np.int64]:
    """Return how many wrong ones were found after 0, 1, 2, ... checks; the first are wrong."""
    is_wrong = np.array(draw_stop(seed, num_samples)) <= num_wrong
    return np.concatenate([[0], np.cumsum(is_wrong)])


def _holds(num_samples: int, num_wrong: int, drawn: int, found: int, prior: RatePrior) -> bool:
    if found > drawn or num_wrong - found > num_samples - drawn:
        return True  # cannot happen
    checks = Checks(num_samples=num_samples, num_checks=drawn, num_wrong=found)
    low, high = wrong_interval(checks, prior, alpha=STOP_ALPHA)
    return low <= num_wrong <= high


STOPS = (
    (200, 2, 0.01),
    (200, 0, 0.01),
    (200, 10, 0.05),
    (200, 30, 0.005),
    (200, 4, 0.3),
    (600, 6, 0.01),
)
"""Samples, wrong ones, stated rate: right, too low and too high."""


def main() -> None:
    """Print the counts that the docs have."""
    runs = 10_000
    for ranking in RANKINGS:
        for num_checks in (22, 50):
            broken = num_broken_bands(ranking, num_samples=20_000, num_checks=num_checks, runs=runs)
            _tell(f"band, {ranking.name}, m = {num_checks}: {broken} of {runs}")
    for setting in STOPS:
        _tell(f"stop, {setting}: {num_missed(*setting, runs=runs)} of {runs}")


def _tell(line: str) -> None:
    sys.stdout.write(f"{line}\n")


if __name__ == "__main__":
    main()
