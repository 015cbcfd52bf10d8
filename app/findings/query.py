"""What can be asked of the findings."""

from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

SURE_ABOVE = 0.9
"""Probability above which a label that is worth a look is surely wrong: that of
`ml.detection.verdict`, which the API must not load."""


def is_sure(p_mislabeled: float | None, *, flagged: bool) -> bool:
    """Tell whether a label is surely wrong."""
    return flagged and p_mislabeled is not None and p_mislabeled > SURE_ABOVE


class Sort(StrEnum):
    """Orders of the findings; a minus puts the largest first."""

    WORST_FIRST = "-p_mislabeled"
    BEST_FIRST = "p_mislabeled"
    LARGEST_LOSS = "-loss"
    SMALLEST_LOSS = "loss"

    @property
    def by_loss(self) -> bool:
        """Whether the loss decides, not the rank."""
        return self in (Sort.LARGEST_LOSS, Sort.SMALLEST_LOSS)

    @property
    def reverse(self) -> "Sort":
        """The same order, read backwards."""
        flipped = self.removeprefix("-")
        return Sort(flipped if flipped != self else f"-{self}")

    @property
    def ascending(self) -> bool:
        """Whether the deciding column grows; rank 1 has the largest p_mislabeled."""
        return self in (Sort.WORST_FIRST, Sort.SMALLEST_LOSS)


class DecisionFilter(StrEnum):
    """What reviewers decided; `none` is nothing yet."""

    KEEP = "keep"
    RELABEL = "relabel"
    EXCLUDE = "exclude"
    UNSURE = "unsure"
    NONE = "none"


class Verdict(StrEnum):
    """What kind of sample it is; where several apply, the first one counts."""

    NOT_JUDGED = "not_judged"
    OFF_TOPIC = "off_topic"
    MISLABELED = "mislabeled"
    DUPLICATE = "duplicate"
    AMBIGUOUS = "ambiguous"
    HARD = "hard"
    CLEAN = "clean"
    VERIFIED = "verified"


@dataclass(frozen=True, slots=True, kw_only=True)
class FindingQuery:
    """Filters and order of a list of findings; labels are class names."""

    flagged: bool | None = None
    sure: bool | None = None
    min_p: float | None = None
    max_p: float | None = None
    label: str | None = None
    suggested_label: str | None = None
    decision: DecisionFilter | None = None
    verdict: Verdict | None = None
    sort: Sort = Sort.WORST_FIRST


@dataclass(frozen=True, slots=True)
class SuspectTally:
    """How many labels an audit suspects, and how far their review is."""

    num_flagged: int
    """At most as many as are counted."""
    num_decided: int
    """Of these."""
    has_more: bool
    """Whether there are more than were counted."""
    is_any_judged: bool
    """Whether a single sample has a `p_mislabeled`."""


class FindingRow(NamedTuple):
    """A finding with what its sample adds: plain values, of which pages of hundreds are made."""

    version_id: int
    sample_id: int
    rank: int
    given_label: int
    suggested_label: int
    suggested_confidence: float
    p_mislabeled: float | None
    p_uncalibrated: float | None
    flagged: bool
    loss: float
    verdict: str
    signals: dict[str, float]
    likely: bytes | None
    path: str
    decision: str | None
    decided_label: int | None
    exclusion: str | None
    version: int
    has_image: bool
