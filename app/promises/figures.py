"""From answered checks to what is proved (sums only), and the same in plain words."""

from collections.abc import Sequence
from itertools import takewhile

from app.models import BandAction, PromiseState
from app.promises.bounds import (
    Checks,
    RatePrior,
    allowed,
    checks_to_go,
    good_share_bound,
    is_reached,
    wrong_interval,
)
from app.promises.schemas import BandRead, BandsRead, BandState, RangeRead, StopStateRead
from app.promises.terms import BandTerms, Check, StopTerms


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


_EYE = "True relative to the eye of whoever answers the checks: a mistake of theirs is not seen."
_GOOD = {
    BandAction.RELABEL: "the suggested label is right",
    BandAction.EXCLUDE: "the given label is wrong",
}


def says(figures: BandsRead | StopStateRead, num_samples: int) -> str:
    """Return the theorem."""
    about = f"the {num_samples:,} samples that nobody had decided on at the opening"
    if isinstance(figures, StopStateRead):
        return (
            f"Of {about}, at most {figures.most_left:,} ({figures.target_share:.2%}) are left with "
            f"a wrong label, but for a chance of {figures.alpha:.1%}. {_EYE}"
        )
    return (
        f"Of {about}, in the ranked order of then: {_GOOD[figures.action]} for all but "
        f"{figures.alpha:.1%} of an accepted band, but for a chance of {figures.delta:.1%}. {_EYE}"
    )


def then(state: PromiseState, figures: BandsRead | StopStateRead) -> str:
    """Return what is to be done now, or how it ended."""
    if isinstance(figures, StopStateRead):
        return _of_stop(state, figures)
    return _of_bands(state, figures)


def _of_bands(state: PromiseState, figures: BandsRead) -> str:
    widest = widest_passed(figures)
    may = (
        f"The worst {widest.share:.1%} ({widest.num_samples:,} samples) may be accepted."
        if widest
        else "Nothing may be accepted."
    )
    match state:
        case PromiseState.OPEN:
            band = next(band for band in figures.bands if band.state is BandState.OPEN)
            more = _checks(band.num_checks - band.num_answered, "more ")
            return f"Answer {more} of the worst {band.share:.1%}. {may}"
        case PromiseState.CLOSED:
            return "Closed before a band had passed. Nothing may be accepted."
        case _:
            failed = [band for band in figures.bands if band.state is BandState.FAILED]
            return f"{state.value.capitalize()}. {may} {_failure(failed, figures.alpha)}".strip()


def _failure(failed: list[BandRead], alpha: float) -> str:
    if not failed:
        return ""
    band = failed[0]
    return (
        f"Of the worst {band.share:.1%}, {band.num_good} of {band.num_checks} checks are good: "
        f"that proves {band.good_share_bound:.1%}, and {1.0 - alpha:.1%} is needed."
    )


def _of_stop(state: PromiseState, figures: StopStateRead) -> str:
    left = f"{figures.left.low:,} to {figures.left.high:,} wrong labels are left"
    limit = f"{figures.most_left:,} may be"
    so_far = f"after {_checks(figures.num_checks)}, {figures.num_wrong:,} of them not right"
    match state:
        case PromiseState.KEPT:
            return f"Kept {so_far}: {left}, {limit}. You may stop."
        case PromiseState.BROKEN:
            return f"Broken {so_far}: {left}, {limit}. Review more of the queue, then open another."
        case PromiseState.CLOSED:
            return f"Closed {so_far}: {left}, {limit}. Nothing is proved."
        case PromiseState.OPEN if figures.holds:
            return f"It holds {so_far}: {left}, {limit}. Close it, and it is kept."
        case _:
            return f"Go on {so_far}: {left}, {limit}. {_way(figures.num_to_go)}"


def _way(num_to_go: int | None) -> str:
    if num_to_go is None:
        return "No further check can keep it: find wrong labels in the queue, or close it."
    return f"{_checks(num_to_go, 'more ')} will keep it if all labels are right."


def _checks(num: int, which: str = "") -> str:
    return f"{num:,} {which}check{'' if num == 1 else 's'}"
