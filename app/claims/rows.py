"""What claims are read as."""

from dataclasses import dataclass

from app.models import Finding, ReviewClaim


@dataclass(frozen=True, slots=True)
class ClaimedRow:
    """A claim with its sample and what the audit says of it."""

    claim: ReviewClaim
    finding: Finding
    path: str
    version: int
    has_image: bool
