"""Claims, shares and second opinions as the API reads and writes them."""

from datetime import datetime
from typing import Annotated

from pydantic import Field

from app.claims.opinions import Agreement, ClaimedRow, Disputed, Opinion
from app.core.errors import AppError
from app.core.ids import format_sample_id
from app.core.schemas import Flag, InputModel, ReadModel
from app.findings.query import is_sure
from app.findings.schemas import ClassShare, likely_classes


class TooManyClaimsError(AppError):
    """Decide on what you hold, or give it back, before you take more."""

    status = 409
    code = "too_many_claims"
    title = "Too many samples claimed"


MAX_CLAIMED = 500
"""Samples that one call may take, and that one reviewer may hold."""


class ClaimWrite(InputModel):
    """How many samples a reviewer takes, and how they are shown."""

    count: Annotated[int, Field(strict=True, ge=1, le=MAX_CLAIMED)] = 50
    minutes: Annotated[int, Field(strict=True, ge=1, le=24 * 60)] = 30
    """After so long without a decision, others get them."""
    blind: Flag = False
    """Show no suggestion and no probability, so that they cannot lead the reviewer."""
    overlap: Annotated[float, Field(strict=True, ge=0, le=1, allow_inf_nan=False)] = 0.0
    """Share of the samples handed out here that a second reviewer shall decide on too."""


class ClaimRead(ReadModel):
    """A sample to decide on. What a blind reviewer may not see is null."""

    sample_id: str
    path: str
    given_label: str
    version: int
    """For `If-Match`."""
    expires_at: datetime
    blind: bool
    second_opinion: bool
    """Whether somebody decided on it already; what, is shown to nobody before they decide."""
    has_image: bool
    suggested_label: str | None
    suggested_confidence: float | None
    p_mislabeled: float | None
    flagged: bool | None
    sure: bool | None
    rank: int | None
    verdict: str | None
    likely_classes: list[ClassShare] | None

    @classmethod
    def of(cls, row: ClaimedRow, classes: list[str]) -> "ClaimRead":
        """Describe a row; `classes` are the names that labels point into."""
        finding, claim = row.finding, row.claim
        shown = None if claim.blind else finding
        return cls(
            sample_id=format_sample_id(claim.sample_id),
            path=row.path,
            given_label=classes[finding.given_label],
            version=row.version,
            expires_at=claim.expires_at,
            blind=claim.blind,
            second_opinion=claim.second,
            has_image=row.has_image,
            suggested_label=shown and classes[shown.suggested_label],
            suggested_confidence=shown and shown.suggested_confidence,
            p_mislabeled=shown and shown.p_mislabeled,
            flagged=shown and shown.flagged,
            sure=shown and is_sure(shown.p_mislabeled, flagged=shown.flagged),
            rank=shown and shown.rank,
            verdict=shown and shown.verdict,
            likely_classes=shown and likely_classes(shown.likely, classes),
        )


class ReleaseRead(ReadModel):
    """What was given back."""

    num_released: int


class OpinionRead(ReadModel):
    """What one reviewer decided last on one sample."""

    key_id: str | None
    who: str | None
    decision: str
    label: str | None
    reason: str | None
    at: datetime

    @classmethod
    def of(cls, opinion: Opinion, classes: list[str]) -> "OpinionRead":
        """Describe a row."""
        return cls(
            key_id=opinion.reviewer or None,
            who=opinion.who,
            decision=opinion.decision,
            label=None if opinion.label is None else classes[opinion.label],
            reason=opinion.reason,
            at=opinion.at,
        )


class ConflictRead(ReadModel):
    """A sample that reviewers see differently."""

    sample_id: str
    path: str
    given_label: str
    version: int
    """For `If-Match`; a decision with `resolves` settles it."""
    has_image: bool
    opinions: list[OpinionRead]

    @classmethod
    def of(cls, row: Disputed, classes: list[str]) -> "ConflictRead":
        """Describe a sample with its opinions, oldest first."""
        return cls(
            sample_id=format_sample_id(row.sample_id),
            path=row.path,
            given_label=classes[row.given_label],
            version=row.version,
            has_image=row.has_image,
            opinions=[OpinionRead.of(opinion, classes) for opinion in row.opinions],
        )


class AgreementRead(ReadModel):
    """How far reviewers agree on the samples that two of them decided on."""

    num_assigned: int
    """Samples that are to have two opinions."""
    num_compared: int
    """Those that have two."""
    num_agreeing: int
    num_conflicts: int
    """Those that differ and are not settled yet."""
    agreement: float | None
    """Share that agrees; null before anything can be compared."""
    kappa: float | None
    """Cohen's kappa: agreement beyond chance, 1 is perfect, 0 is chance; null where it is not
    defined, such as when both always decide the same one thing."""

    @classmethod
    def of(cls, agreement: Agreement) -> "AgreementRead":
        """Describe the figures."""
        return cls.model_validate(agreement)
