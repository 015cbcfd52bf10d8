"""From answered checks to what is proved: sums only."""

from collections.abc import Sequence
from itertools import takewhile

from app.models import PromiseState
from app.promises.bounds import (
    Checks,
    RatePrior,
    allowed,
    checks_to_go,
    good_share_bound,
    is_reached,
    wrong_interval,
)
from app.promises.rows import Check
from app.promises.schemas import BandRead, BandsRead, BandState, RangeRead, StopStateRead
from app.promises.terms import BandTerms, StopTerms


def band_figures(terms: BandTerms, checks: Sequence[Check]) -> BandsRead:
    """Return how far each band is; none is looked at before the narrower one has passed."""
    bands: list[BandRead] = []
    for index in range(len(terms.sizes)):
        goes_on = all(band.state is BandState.PASSED for band in bands)
        bands.append(_band(terms, index, [c for c in checks if c.band == index], goes_on=goes_on))
    return BandsRead(
        action=terms.action,
        alpha=terms.alpha,
        delta=terms.delta,
        num_checks=terms.num_checks,
        bands=bands,
    )


def stop_figures(
    terms: StopTerms, checks: Sequence[Check], *, num_samples: int, num_found: int
) -> StopStateRead:
    """Return what is left: only answers before the first gap count, so none can be left out."""
    answered = list(takewhile(lambda check: check.is_answered, checks))
    seen = Checks(
        num_samples=num_samples,
        num_checks=len(answered),
        num_wrong=sum(check.says_wrong is not False for check in answered),
    )
    prior, most_left = (
        RatePrior.of(terms.stated_rate, num_samples),
        allowed(terms.target_share, num_samples),
    )
    low, high = wrong_interval(seen, prior, alpha=terms.alpha)
    left = RangeRead(low=max(0, low - num_found), high=max(0, high - num_found))
    more = checks_to_go(seen, prior, alpha=terms.alpha, most_wrong=most_left + num_found)
    return StopStateRead(
        **terms.model_dump(),
        num_drawn=len(checks),
        num_checks=seen.num_checks,
        num_wrong=seen.num_wrong,
        wrong=RangeRead(low=low, high=high),
        num_found=num_found,
        left=left,
        most_left=most_left,
        num_to_go=more if more is not None and seen.num_checks + more <= len(checks) else None,
        holds=left.high <= most_left,
    )


def verdict(figures: BandsRead | StopStateRead) -> PromiseState:
    """Return whether a promise is kept, broken or open still."""
    if isinstance(figures, StopStateRead):
        if figures.holds:
            return PromiseState.KEPT
        return PromiseState.BROKEN if figures.left.low > figures.most_left else PromiseState.OPEN
    states = [band.state for band in figures.bands]
    if BandState.OPEN in states:
        return PromiseState.OPEN
    return PromiseState.KEPT if states[0] is BandState.PASSED else PromiseState.BROKEN


def widest_passed(figures: BandsRead | StopStateRead) -> BandRead | None:
    """Return the band that may be accepted."""
    if isinstance(figures, StopStateRead):
        return None
    passed = [band for band in figures.bands if band.state is BandState.PASSED]
    return passed[-1] if passed else None


def open_band(figures: BandsRead) -> int | None:
    """Return the place of the band whose checks are to be answered now."""
    states = [band.state for band in figures.bands]
    return states.index(BandState.OPEN) if BandState.OPEN in states else None


def _band(terms: BandTerms, index: int, checks: Sequence[Check], *, goes_on: bool) -> BandRead:
    size = terms.sizes[index]
    num_answered = sum(check.is_answered for check in checks)
    num_good = sum(check.is_good(terms.action) for check in checks)
    is_complete = goes_on and num_answered == len(checks)
    bound = (
        good_share_bound(num_good, len(checks), size, delta=terms.delta) if is_complete else None
    )
    return BandRead(
        share=terms.shares[index],
        num_samples=size,
        num_checks=len(checks),
        num_answered=num_answered,
        num_good=num_good,
        good_share_bound=bound,
        state=_state(bound, terms.alpha, goes_on=goes_on),
    )


def _state(bound: float | None, alpha: float, *, goes_on: bool) -> BandState:
    if not goes_on:
        return BandState.NOT_REACHED
    if bound is None:
        return BandState.OPEN
    return BandState.PASSED if is_reached(bound, alpha) else BandState.FAILED
