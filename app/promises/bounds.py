"""What uniform checks prove of all samples that they were drawn from: arithmetic, no database.

Sums of log-gammas, so that a million samples cost what a thousand do.
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import ceil, exp, floor, fsum, lgamma, log, log1p

_HALVINGS = 60
"""A double has 53 bits: more would change nothing."""
_ROUNDING = 1e-9
"""Shares such as 0.29 have no exact double: a count that meets one must not miss it by that."""
_DRIFT = 1e-6
"""More than the rounding errors of log-gamma at ten million samples; it widens an interval."""


def least_checks(alpha: float, delta: float) -> int:
    """Return how few checks can prove, all good, that at most `alpha` of a band is not."""
    return ceil(log(delta) / log1p(-alpha) - _ROUNDING)


def good_share_bound(num_good: int, num_checks: int, num_samples: int, *, delta: float) -> float:
    """Return a lower bound of the share of good samples that is too high with chance `delta`.

    Clopper and Pearson (1934): Beta^-1(delta; x, m - x + 1), the share p at which x or more of m
    checks are good with chance `delta`. It is exact for draws with replacement, and safe for these
    without. Where every sample was checked, the share itself is known.
    """
    if num_checks == num_samples:
        return num_good / num_samples
    if num_good == 0:
        return 0.0
    low, high = 0.0, num_good / num_checks
    for _ in range(_HALVINGS):
        middle = (low + high) / 2.0
        is_below = _chance_of_so_many(num_good, num_checks, middle) <= delta
        low, high = (middle, high) if is_below else (low, middle)
    return low


def allowed(share: float, num_samples: int) -> int:
    """Return how many samples a share is, at most."""
    return floor(share * num_samples + _ROUNDING)


def is_reached(bound: float, alpha: float) -> bool:
    """Tell whether a lower bound proves that at most `alpha` is not good."""
    return bound >= 1.0 - alpha - _ROUNDING


@dataclass(frozen=True, slots=True)
class RatePrior:
    """Beta(a, b) of the share of wrong labels, fixed before the first check."""

    a: float
    b: float

    @classmethod
    def of(cls, stated_rate: float, num_samples: int) -> "RatePrior":
        """Return Beta(1/2, 1/2 / rate), about the stated rate but at least one in all samples."""
        return cls(0.5, 0.5 / max(stated_rate, 1.0 / num_samples))


@dataclass(frozen=True, slots=True, kw_only=True)
class Checks:
    """Uniform draws without replacement, and how many were wrong."""

    num_samples: int
    """M, of which they were drawn."""
    num_checks: int
    num_wrong: int


def wrong_interval(checks: Checks, prior: RatePrior, *, alpha: float) -> tuple[int, int]:
    """Return the least and the greatest number of wrong labels that M samples may hold.

    Prior-posterior ratio (Waudby-Smith and Ramdas 2020): after t checks with x wrong ones

        C_t = {R : hypergeom(x; M, R, t) > alpha * betabinomial(x; t, a, b)}.

    The ratio of both is a martingale where R is the truth, so that by Ville's inequality all C_t
    at once hold it with chance 1 - alpha: whoever checks may look and stop at any time. In R the
    left side rises to its mode and falls, so each end is found by bisection.
    """
    total, drawn, wrong = checks.num_samples, checks.num_checks, checks.num_wrong
    least, most = wrong, total - drawn + wrong
    if drawn == 0:
        return least, most
    threshold = log(alpha) + _log_beta_binomial(wrong, drawn, prior) - _DRIFT

    def may_be(num: int) -> bool:
        return _log_hypergeometric(checks, num) > threshold

    mode = min(max(wrong * (total + 1) // drawn, least), most)
    low = mode - _last_true(lambda step: may_be(mode - step), mode - least)
    return low, mode + _last_true(lambda step: may_be(mode + step), most - mode)


def checks_to_go(checks: Checks, prior: RatePrior, *, alpha: float, most_wrong: int) -> int | None:
    """Return how many more checks without a wrong one prove `most_wrong`; None where none can."""

    def is_short(more: int) -> bool:
        grown = Checks(
            num_samples=checks.num_samples,
            num_checks=checks.num_checks + more,
            num_wrong=checks.num_wrong,
        )
        return wrong_interval(grown, prior, alpha=alpha)[1] > most_wrong

    if checks.num_wrong > most_wrong:
        return None
    if not is_short(0):
        return 0
    return _last_true(is_short, checks.num_samples - checks.num_checks) + 1


def _last_true(holds: Callable[[int], bool], most: int) -> int:
    """Return the last number from 0 to `most` that something holds for; it does for 0."""
    low, high = 0, most
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if holds(middle) else (low, middle - 1)
    return low


def _chance_of_so_many(num_good: int, num_checks: int, share: float) -> float:
    """Return P(X >= x) of a binomial X; the share is between 0 and 1."""
    log_good, log_bad = log(share), log1p(-share) if share < 1.0 else 0.0
    return fsum(
        exp(_log_choose(num_checks, num) + num * log_good + (num_checks - num) * log_bad)
        for num in range(num_good, num_checks + 1)
    )


def _log_hypergeometric(checks: Checks, num_wrong: int) -> float:
    """Return log P(x of t draws are wrong) where `num_wrong` of all samples are."""
    total, drawn, found = checks.num_samples, checks.num_checks, checks.num_wrong
    return (
        _log_choose(num_wrong, found)
        + _log_choose(total - num_wrong, drawn - found)
        - _log_choose(total, drawn)
    )


def _log_beta_binomial(found: int, drawn: int, prior: RatePrior) -> float:
    return (
        _log_choose(drawn, found)
        + _log_beta(found + prior.a, drawn - found + prior.b)
        - _log_beta(prior.a, prior.b)
    )


def _log_beta(a: float, b: float) -> float:
    return lgamma(a) + lgamma(b) - lgamma(a + b)


def _log_choose(n: int, k: int) -> float:
    return lgamma(n + 1) - lgamma(k + 1) - lgamma(n - k + 1)
