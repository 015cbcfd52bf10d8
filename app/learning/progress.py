"""From counts and what the last re-calibration left to what a reviewer is told: sums only."""

from collections.abc import Sequence
from itertools import accumulate
from typing import Any

from app.learning.estimates import Stratum, stratified
from app.learning.repository import VERIFIED, Judged
from app.learning.schemas import ByChanceRead, CurvePointRead, NextRead, NumberRead, ShareRead

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
) -> dict[str, Any]:
    """Return what is left: fields of `ProgressRead`.

    Args:
        stored: What the last re-calibration left, empty before the first.
        p: Probabilities of the next samples, worst first.
        since: What has been decided since it.
        expected_left: Sum of the probabilities of all undecided samples.
    """
    remaining = NumberRead(estimate=expected_left, low=None, high=None)
    curve = plain_curve(p, expected_left)
    if stored:
        remaining = less_found(stored["remaining"], sum(bool(row.says_wrong) for row in since))
        curve = [CurvePointRead.model_validate(point) for point in stored["curve"]]
    return {
        "num_new": len(since),
        "next": next_of(p),
        "remaining": remaining,
        "remaining_from": stored.get("remaining_from", "probabilities"),
        "curve": curve,
        "predictive_check": stored.get("predictive_check"),
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


def by_chance(decided: Sequence[Judged], sizes: tuple[int, int]) -> ByChanceRead:
    """Return what chance alone says of all labels; `sizes` are of the flagged and of the others."""
    drawn = [row for row in decided if row.by_chance and row.says_wrong is not None]
    strata = [
        Stratum(
            num_samples=size,
            num_drawn=sum(row.flagged is is_flagged for row in drawn),
            num_wrong=sum(row.flagged is is_flagged and bool(row.says_wrong) for row in drawn),
        )
        for size, is_flagged in zip(sizes, (True, False), strict=True)
    ]
    return ByChanceRead(
        num_decided=len(drawn),
        num_wrong=sum(stratum.num_wrong for stratum in strata),
        noise_rate=ShareRead.of(stratified(strata)) if drawn else None,
    )
