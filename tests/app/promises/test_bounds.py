"""The figures of the literature and of the docs, to the last check."""

import pytest
from scipy import stats

from app.promises.bounds import (
    Checks,
    RatePrior,
    allowed,
    checks_to_go,
    good_share_bound,
    is_reached,
    least_checks,
    wrong_interval,
)

ALPHA = 0.05
M = 3_600


def _checks(num_checks: int, num_wrong: int, num_samples: int = M) -> Checks:
    return Checks(num_samples=num_samples, num_checks=num_checks, num_wrong=num_wrong)


class TestBand:
    """Clopper and Pearson's bound."""

    def test_twenty_two_good_checks_are_the_fewest_that_prove_nine_in_ten(self) -> None:
        assert least_checks(0.1, 0.1) == 22
        assert is_reached(good_share_bound(22, 22, 5_000, delta=0.1), 0.1)
        assert not is_reached(good_share_bound(21, 21, 5_000, delta=0.1), 0.1)

    @pytest.mark.parametrize(
        ("alpha", "delta"), [(0.1, 0.1), (0.05, 0.05), (0.02, 0.1), (0.5, 0.5)]
    )
    def test_fewest_checks_are_just_enough(self, alpha: float, delta: float) -> None:
        num = least_checks(alpha, delta)

        assert is_reached(good_share_bound(num, num, 10**6, delta=delta), alpha)
        assert not is_reached(good_share_bound(num - 1, num - 1, 10**6, delta=delta), alpha)

    @pytest.mark.parametrize("num_good", [0, 1, 17, 44, 49, 50])
    def test_it_is_the_quantile_of_a_beta_distribution(self, num_good: int) -> None:
        expected = stats.beta.ppf(0.1, num_good, 50 - num_good + 1) if num_good else 0.0

        assert good_share_bound(num_good, 50, 5_000, delta=0.1) == pytest.approx(expected)

    def test_one_of_fifty_may_be_bad(self) -> None:
        fits = [
            is_reached(good_share_bound(50 - bad, 50, 5_000, delta=0.1), 0.1) for bad in range(5)
        ]

        assert fits == [True, True, False, False, False]

    def test_a_band_of_which_all_was_checked_is_known(self) -> None:
        assert good_share_bound(9, 10, 10, delta=0.1) == 0.9
        assert is_reached(good_share_bound(9, 10, 10, delta=0.1), 0.1)
        assert not is_reached(good_share_bound(8, 10, 10, delta=0.1), 0.1)

    @pytest.mark.parametrize("share", [0.01, 0.07, 0.1, 0.29])
    def test_rounding_takes_no_sample_from_a_share(self, share: float) -> None:
        assert allowed(share, 100) == round(100 * share)


class TestStop:
    """Prior-posterior ratio: "at most 1 % left, 95 %" of 3,600."""

    @pytest.mark.parametrize(
        ("prior", "num_checks"),
        [
            (RatePrior.of(0.005, M), 345),
            (RatePrior.of(0.01, M), 373),
            (RatePrior.of(0.1, M), 479),
            (RatePrior(1.0, 1.0), 828),
        ],
    )
    def test_so_many_checks_without_an_error_are_needed(
        self, prior: RatePrior, num_checks: int
    ) -> None:
        most_wrong = allowed(0.01, M)

        assert checks_to_go(_checks(0, 0), prior, alpha=ALPHA, most_wrong=most_wrong) == num_checks
        assert wrong_interval(_checks(num_checks, 0), prior, alpha=ALPHA) == (0, most_wrong)
        assert wrong_interval(_checks(num_checks - 1, 0), prior, alpha=ALPHA)[1] > most_wrong

    def test_a_single_look_would_need_279(self) -> None:
        one_more = allowed(0.01, M) + 1

        first = next(n for n in range(M) if stats.hypergeom(M, one_more, n).pmf(0) <= ALPHA)

        assert first == 279

    @pytest.mark.parametrize(
        ("num_checks", "num_wrong"), [(0, 0), (1, 1), (40, 3), (200, 0), (500, 500)]
    )
    def test_the_interval_is_the_set_that_the_paper_defines(
        self, num_checks: int, num_wrong: int
    ) -> None:
        prior, total = RatePrior.of(0.02, 500), 500
        likelihood = [
            stats.hypergeom(total, wrong, num_checks).pmf(num_wrong) for wrong in range(total + 1)
        ]
        threshold = ALPHA * stats.betabinom(num_checks, prior.a, prior.b).pmf(num_wrong)
        inside = [wrong for wrong, value in enumerate(likelihood) if value > threshold * (1 - 1e-6)]

        low, high = wrong_interval(_checks(num_checks, num_wrong, total), prior, alpha=ALPHA)

        assert list(range(low, high + 1)) == inside

    def test_a_rate_of_nothing_is_taken_for_one_in_all(self) -> None:
        assert RatePrior.of(0.0, 1_000) == RatePrior.of(0.001, 1_000)

    def test_more_wrong_ones_than_may_be_left_are_mended_by_no_check(self) -> None:
        prior = RatePrior.of(0.01, M)

        assert checks_to_go(_checks(100, 37), prior, alpha=ALPHA, most_wrong=36) is None

    def test_all_checked_is_all_known(self) -> None:
        prior = RatePrior.of(0.01, 50)

        assert wrong_interval(_checks(50, 7, 50), prior, alpha=ALPHA) == (7, 7)

    def test_the_ends_are_exact_for_a_million_samples(self) -> None:
        prior, total = RatePrior.of(0.01, 10**6), 10**6
        threshold = ALPHA * stats.betabinom(300, prior.a, prior.b).pmf(3)

        low, high = wrong_interval(_checks(300, 3, total), prior, alpha=ALPHA)
        is_inside = [
            bool(stats.hypergeom(total, num_wrong, 300).pmf(3) > threshold)
            for num_wrong in (low - 1, low, high, high + 1)
        ]

        assert is_inside == [False, True, True, False]
