"""What can be asked of the findings."""

from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple, TypedDict

from app.models import CONFLICT, minus_posterior

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
    LARGEST_POSTERIOR = "-posterior"
    SMALLEST_POSTERIOR = "posterior"

    @property
    def by_rank(self) -> bool:
        """Whether the rank alone decides."""
        return self in (Sort.WORST_FIRST, Sort.BEST_FIRST)

    @property
    def by_posterior(self) -> bool:
        """Whether the posterior decides before the rank does."""
        return self in (Sort.LARGEST_POSTERIOR, Sort.SMALLEST_POSTERIOR)

    @property
    def reverse(self) -> "Sort":
        """The same order, read backwards."""
        flipped = self.removeprefix("-")
        return Sort(flipped if flipped != self else f"-{self}")

    @property
    def ascending(self) -> bool:
        """Whether the keys grow: ranks, losses, and posteriors with a minus before them."""
        return self in (Sort.WORST_FIRST, Sort.SMALLEST_LOSS, Sort.LARGEST_POSTERIOR)


class DecisionFilter(StrEnum):
    """What reviewers decided; `none` is nothing yet."""

    KEEP = "keep"
    RELABEL = "relabel"
    EXCLUDE = "exclude"
    UNSURE = "unsure"
    NONE = "none"


class Verdict(StrEnum):
    """What kind of sample it is; where several apply, the first one counts."""

    CONFLICT = CONFLICT
    NOT_JUDGED = "not_judged"
    OFF_TOPIC = "off_topic"
    MISLABELED = "mislabeled"
    DUPLICATE = "duplicate"
    AMBIGUOUS = "ambiguous"
    HARD = "hard"
    CLEAN = "clean"
    VERIFIED = "verified"


class Bounds(TypedDict):
    """Probabilities that a list of findings is cut at."""

    min_p: float | None
    max_p: float | None
    min_posterior: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class FindingQuery:
    """Filters and order of a list of findings; labels are class names."""

    flagged: bool | None = None
    sure: bool | None = None
    min_p: float | None = None
    max_p: float | None = None
    min_posterior: float | None = None
    label: str | None = None
    suggested_label: str | None = None
    decision: DecisionFilter | None = None
    verdict: Verdict | None = None
    but: Verdict | None = None
    """A kind that is left out."""
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
    posterior: float | None
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

    def key(self, sort: Sort) -> tuple[float, int]:
        """Return where it stands in an order."""
        return minus_posterior(self.posterior) if sort.by_posterior else self.loss, self.rank


class TwinRow(NamedTuple):
    """One sample that shows the same picture as `of_sample`."""

    of_sample: int
    sample_id: int
    path: str
    given_label: int
    is_judged: bool
    """Whether the audit has a finding on it."""
