"""Whether two reviewers see a sample alike: rows of claims, and simple counts of them."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby

from app.models import Finding, ReviewClaim


@dataclass(frozen=True, slots=True)
class Opinion:
    """What one reviewer decided last on one sample, whatever is in force."""

    entry_id: int
    sample_id: int
    path: str
    given_label: int
    version: int
    has_image: bool
    reviewer: str
    who: str | None
    decision: str
    label: int | None
    reason: str | None
    at: datetime
    resolves: bool

    @property
    def verdict(self) -> tuple[str, int | None]:
        """What is compared; why a sample was excluded is not."""
        return self.decision, self.label


@dataclass(frozen=True, slots=True)
class Disputed:
    """A sample and its reviewers' own opinions, oldest first."""

    sample_id: int
    path: str
    given_label: int
    version: int
    has_image: bool
    opinions: Sequence[Opinion]
    resolved_by: int
    """Entry of the last decision that settles a dispute; 0 without one."""

    @property
    def is_compared(self) -> bool:
        """Whether there are two to compare."""
        return len(self.opinions) > 1

    @property
    def agrees(self) -> bool:
        """Whether all see it alike."""
        return len({opinion.verdict for opinion in self.opinions}) == 1

    @property
    def is_open(self) -> bool:
        """Whether opinions differ and nobody has settled it since the last of them."""
        newest = max((opinion.entry_id for opinion in self.opinions), default=0)
        return self.is_compared and not self.agrees and self.resolved_by < newest


@dataclass(frozen=True, slots=True)
class Agreement:
    """Figures over all samples with two opinions."""

    num_assigned: int
    num_compared: int
    num_agreeing: int
    num_conflicts: int
    agreement: float | None
    kappa: float | None


def by_sample(opinions: Iterable[Opinion]) -> list[Disputed]:
    """Gather opinions, which come in order of samples and then of time."""
    gathered = []
    for sample_id, group in groupby(opinions, key=lambda opinion: opinion.sample_id):
        rows = list(group)
        latest = {row.reviewer: row for row in rows if not row.resolves}
        gathered.append(
            Disputed(
                sample_id=sample_id,
                path=rows[0].path,
                given_label=rows[0].given_label,
                version=rows[0].version,
                has_image=rows[0].has_image,
                opinions=sorted(latest.values(), key=lambda row: row.entry_id),
                resolved_by=max((row.entry_id for row in rows if row.resolves), default=0),
            )
        )
    return gathered


def disputed(opinions: Iterable[Opinion]) -> set[int]:
    """Return the samples whose decision does not count: reviewers still see them differently."""
    return {sample.sample_id for sample in by_sample(opinions) if sample.is_open}


def agreement_of(samples: Sequence[Disputed], *, num_assigned: int) -> Agreement:
    """Return how far opinions agree; where there are more than two, the first two count."""
    compared = [sample for sample in samples if sample.is_compared]
    pairs = [_pair(sample) for sample in compared]
    num_agreeing = sum(first == second for first, second in pairs)
    return Agreement(
        num_assigned=num_assigned,
        num_compared=len(pairs),
        num_agreeing=num_agreeing,
        num_conflicts=sum(sample.is_open for sample in compared),
        agreement=num_agreeing / len(pairs) if pairs else None,
        kappa=kappa(pairs),
    )


def kappa(pairs: Sequence[tuple[object, object]]) -> float | None:
    """Return Cohen's kappa (1960) of pairs of verdicts; None where chance alone agrees fully."""
    if not pairs:
        return None
    num = len(pairs)
    observed = sum(first == second for first, second in pairs) / num
    firsts, seconds = Counter(first for first, _ in pairs), Counter(second for _, second in pairs)
    by_chance = sum(firsts[verdict] * seconds[verdict] for verdict in firsts) / num**2
    return None if by_chance == 1.0 else (observed - by_chance) / (1.0 - by_chance)


def _pair(sample: Disputed) -> tuple[object, object]:
    """Return two verdicts, always in the same order of their reviewers, as kappa needs them."""
    first, second = sorted(sample.opinions[:2], key=lambda opinion: opinion.reviewer)
    return first.verdict, second.verdict


@dataclass(frozen=True, slots=True)
class ClaimedRow:
    """A claim with its sample and what the audit says of it."""

    claim: ReviewClaim
    finding: Finding
    path: str
    version: int
    has_image: bool
