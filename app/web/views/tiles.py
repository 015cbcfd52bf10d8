"""A sample as it stands on a board, and the other samples that show the very same picture."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

from app.claims.schemas import ClaimRead, ConflictRead
from app.findings.query import Verdict
from app.findings.schemas import ClassShare, FindingRead, Twin
from app.findings.service import FindingService
from app.learning.schemas import FirstLookRead


def twins_of_conflicts(
    findings: FindingService, job_id: str, shown: Iterable[FindingRead | ClaimRead]
) -> Mapping[str, Sequence[Twin]]:
    """Return them by sample; nothing is asked where no certain conflict is shown."""
    torn = [each.sample_id for each in shown if each.verdict == Verdict.CONFLICT]
    return findings.twins(job_id, torn) if torn else {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Tile:
    """What a reviewer sees of a sample; what is hidden from them is None."""

    sample_id: str
    path: str
    version: int
    given_label: str
    has_image: bool
    suggested_label: str | None = None
    suggested_confidence: float | None = None
    """How probable the audit finds the suggestion."""
    p_mislabeled: float | None = None
    verdict: str | None = None
    decision: str | None = None
    decided_label: str | None = None
    exclusion: str | None = None
    is_blind: bool = False
    is_second: bool = False
    """Whether another reviewer has decided already, and this one may not see what."""
    opinions: Sequence[dict[str, Any]] = field(default=())
    """What reviewers think, where they differ."""
    twin_labels: Sequence[str] = field(default=())
    """Other labels of the very same picture."""
    likely: Sequence[ClassShare] = field(default=())
    """Classes that the digits stand for, after the suggestion and the given one."""

    @property
    def likely_json(self) -> str:
        """Labels with probabilities, for the script that offers them by key."""
        return json.dumps([(share.label, share.probability) for share in self.likely])

    @property
    def opinions_json(self) -> str:
        """What reviewers think, for the script that offers it by key."""
        return json.dumps(self.opinions) if self.opinions else ""

    @classmethod
    def of_finding(cls, finding: FindingRead, twins: Sequence[Twin] = ()) -> Self:
        """Show what an audit says, what is decided, and what labels its `twins` have."""
        return cls(
            sample_id=finding.sample_id,
            path=finding.path,
            version=finding.version,
            given_label=finding.given_label,
            has_image=finding.has_image,
            suggested_label=finding.suggested_label,
            suggested_confidence=finding.suggested_confidence,
            p_mislabeled=finding.p_mislabeled,
            verdict=finding.verdict,
            decision=finding.decision,
            decided_label=finding.decided_label,
            exclusion=finding.exclusion,
            likely=finding.likely_classes,
            twin_labels=_other_labels(finding.given_label, twins),
        )

    @classmethod
    def of_claim(cls, claim: ClaimRead, twins: Sequence[Twin] = ()) -> Self:
        """Show what is one reviewer's to decide on, as far as they may see it."""
        return cls(
            sample_id=claim.sample_id,
            path=claim.path,
            version=claim.version,
            given_label=claim.given_label,
            has_image=claim.has_image,
            suggested_label=claim.suggested_label,
            suggested_confidence=claim.suggested_confidence,
            p_mislabeled=claim.p_mislabeled,
            verdict=claim.verdict,
            twin_labels=_other_labels(claim.given_label, twins),
            likely=claim.likely_classes or (),
            is_blind=claim.blind,
            is_second=claim.second_opinion,
        )

    @classmethod
    def of_first_look(cls, look: FirstLookRead) -> Self:
        """Show a sample without what the audit thinks of it."""
        return cls(
            sample_id=look.sample_id,
            path=look.path,
            version=look.version,
            given_label=look.given_label,
            has_image=look.has_image,
            decision=look.decision,
            decided_label=look.decided_label,
            exclusion=look.exclusion,
            is_blind=True,
        )

    @classmethod
    def of_conflict(cls, conflict: ConflictRead) -> Self:
        """Show what reviewers think of a sample, instead of what the audit thinks."""
        return cls(
            sample_id=conflict.sample_id,
            path=conflict.path,
            version=conflict.version,
            given_label=conflict.given_label,
            has_image=conflict.has_image,
            opinions=[
                opinion.model_dump(include={"who", "decision", "label", "reason"})
                for opinion in conflict.opinions
            ],
        )


def _other_labels(given: str, twins: Sequence[Twin]) -> list[str]:
    return sorted({twin.given_label for twin in twins} - {given})
