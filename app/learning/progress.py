"""From counts and what the last re-calibration left to what a reviewer is told: sums only."""

from collections.abc import Sequence
from itertools import accumulate
from typing import Any

from app.learning.estimates import Share, Stratum, stratified
from app.learning.repository import VERIFIED, Judged
from app.learning.schemas import (
    CurvePointRead,
    DrawRead,
    NextRead,
    NumberRead,
    ShareRead,
    StopRead,
)

NUM_NEXT = 100
CURVE_STEPS = (10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000)


def new_decisions(decided: Sequence[Judged], stored: dict[str, Any]) -> list[Judged]:
    """Return what has been decided since the last re-calibration."""
    until = stored.get("decided_until", 0)
    return [row for row in decided if row.verdict != VERIFIED and (row.entry_id or 0) > until]


def outlook(
    stored: dict[str, Any],
    p: Sequence[float],
    since: Sequence[Judged],
    *,
    expected_left: float,
    target: tuple[float, int],
) -> dict[str, Any]:
    """Return what is left and when to stop: fields of `ProgressRead`.

    Args:
        stored: What the last re-calibration left, empty before the first.
        p: Probabilities of the next samples, worst first.
        since: What has been decided since it.
        expected_left: Sum of the probabilities of all undecided samples.
        target: Share of all samples that may stay wrong, and number of all.
    """
    remaining = NumberRead(estimate=expected_left, low=None, high=None)
    curve = plain_curve(p, expected_left)
    if stored:
        remaining = less_found(stored["remaining"], sum(bool(row.says_wrong) for row in since))
        curve = [CurvePointRead.model_validate(point) for point in stored["curve"]]
    share, num_samples = target
    return {
        "num_new": len(since),
        "next": next_of(p),
        "remaining": remaining,
        "remaining_from": stored.get("remaining_from", "probabilities"),
        "curve": curve,
        "stop": stop_of(
            remaining, curve, target_share=share, num_samples=num_samples, num_new=len(since)
        ),
    }


def next_of(p: Sequence[float]) -> NextRead:
    """Return what the next samples are worth, by their probabilities."""
    taken = p[:NUM_NEXT]
    return NextRead(
        num=len(taken),
        expected_precision=sum(taken) / len(taken) if taken else None,
        expected_found=sum(taken),
    )


def plain_curve(p: Sequence[float], expected_left: float) -> list[CurvePointRead]:
    """Return the curve by the probabilities alone: without any interval."""
    found = [0.0, *accumulate(p)]
    return [
        CurvePointRead(
            num=num,
            found=NumberRead(estimate=found[num], low=None, high=None),
            left=NumberRead(estimate=max(0.0, expected_left - found[num]), low=None, high=None),
        )
        for num in CURVE_STEPS
        if num < len(found)
    ]


def less_found(number: dict[str, Any], num_found: int) -> NumberRead:
    """Return what is left of a stored estimate after more wrong labels were found."""
    return NumberRead(**{name: max(0.0, value - num_found) for name, value in number.items()})


def draw_of(
    decided: Sequence[Judged], sizes: tuple[int, int], seed: int | None, num: int
) -> DrawRead:
    """Return what the draw says of all labels; `sizes` are of the flagged and of the others."""
    drawn = [row for row in decided if row.is_random and row.says_wrong is not None]
    strata = [
        Stratum(
            num_samples=size,
            num_drawn=sum(row.flagged is is_flagged for row in drawn),
            num_wrong=sum(row.flagged is is_flagged and bool(row.says_wrong) for row in drawn),
        )
        for size, is_flagged in zip(sizes, (True, False), strict=True)
    ]
    share: Share | None = stratified(strata) if drawn else None
    return DrawRead(
        num_drawn=num,
        num_decided=len(drawn),
        num_wrong=sum(stratum.num_wrong for stratum in strata),
        seed=seed,
        noise_rate=None if share is None else ShareRead.of(share),
    )


def stop_of(
    remaining: NumberRead,
    curve: Sequence[CurvePointRead],
    *,
    target_share: float,
    num_samples: int,
    num_new: int,
) -> StopRead:
    """Return the stop rule: the upper end of what is left must not exceed the target."""
    target = target_share * num_samples
    may_stop = remaining.high is not None and remaining.high <= target
    num_to_review = None
    if not may_stop and num_new == 0:
        num_to_review = next(
            (
                point.num
                for point in curve
                if point.left.high is not None and point.left.high <= target
            ),
            None,
        )
    return StopRead(
        may_stop=may_stop,
        target_share=target_share,
        target_num=target,
        num_to_review=0 if may_stop else num_to_review,
        advice=_advice(remaining, target, may_stop=may_stop, num_to_review=num_to_review),
    )


def _advice(
    remaining: NumberRead, target: float, *, may_stop: bool, num_to_review: int | None
) -> str:
    if remaining.high is None:
        return (
            "Not known yet. Decide on some samples drawn at random, then have the probabilities "
            "learn from your decisions."
        )
    bound = f"at most {remaining.high:.0f} wrong labels are left (95 % sure)"
    if may_stop:
        return f"You may stop: {bound}, and {target:.0f} may be."
    if num_to_review is not None:
        return f"Go on: {bound}. After about {num_to_review} more you may stop."
    return f"Go on: {bound}, and {target:.0f} may be. More random samples make this surer."
