"""What a promise says, in plain words."""

from app.models import BandAction, PromiseState
from app.promises.figures import widest_passed
from app.promises.schemas import BandRead, BandsRead, BandState, StopStateRead

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
