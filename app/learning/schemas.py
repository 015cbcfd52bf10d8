"""First looks, progress and recalibrations as the API reads and writes them."""

from datetime import datetime
from typing import Any
from uuid import UUID

from app.core.errors import AppError
from app.core.ids import format_sample_id
from app.core.schemas import ReadModel
from app.learning.estimates import Share
from app.models import Finding, FirstLook, ResultVersion, Sample


class NoDecisionsError(AppError):
    """There is nothing to learn from yet."""

    status = 409
    code = "no_decisions"
    title = "No decisions to learn from"


class NoEarlierAuditError(AppError):
    """There is no audit to compare with."""

    status = 409
    code = "no_earlier_audit"
    title = "No earlier audit"


class FirstLookRead(ReadModel):
    """A sample to look at first, as it is to be reviewed: without suggestion."""

    position: int
    """From 0."""
    sample_id: str
    path: str
    given_label: str
    has_image: bool
    by_chance: bool
    """Whether chance alone chose it; otherwise the hypotheses of the audit differ on it."""
    decision: str | None
    decided_label: str | None
    exclusion: str | None
    version: int
    """For `If-Match`."""

    @classmethod
    def of(cls, row: tuple[FirstLook, Finding, Sample], classes: list[str]) -> "FirstLookRead":
        """Describe a row."""
        look, finding, sample = row
        return cls(
            position=look.position,
            sample_id=format_sample_id(sample.id),
            path=sample.path,
            given_label=classes[finding.given_label],
            has_image=sample.sha256 is not None,
            by_chance=look.by_chance,
            decision=sample.decision,
            decided_label=None if sample.decided_label is None else classes[sample.decided_label],
            exclusion=sample.exclusion,
            version=sample.version,
        )


class ShareRead(ReadModel):
    """A share from 0 to 1 with its 95 % interval."""

    estimate: float
    low: float
    high: float

    @classmethod
    def of(cls, share: Share) -> "ShareRead":
        """Describe it."""
        return cls.model_validate(share)


class NumberRead(ReadModel):
    """An expected number with its 95 % interval; the ends are null where nothing is known of it."""

    estimate: float
    low: float | None
    high: float | None


class ByChanceRead(ReadModel):
    """What decisions on samples that chance alone chose say of all labels."""

    num_decided: int
    """Those whose decision says whether the label is right."""
    num_wrong: int
    noise_rate: ShareRead | None
    """Share of wrong labels in the data set as it was given; null until some are decided."""


class RateRead(ReadModel):
    """Share of wrong labels with its 95 % interval, as it was stated, 0 to 1."""

    noise_rate: float
    noise_rate_interval: tuple[float, float]


class RatesRead(ReadModel):
    """What was stated of the noise rate before any decision, and after learning from them."""

    before: RateRead
    after: RateRead

    @classmethod
    def of(cls, stored: dict[str, Any]) -> "RatesRead | None":
        """Describe what the last re-calibration left; null before the first."""
        return cls.model_validate(stored["rates"]) if stored else None


class NextRead(ReadModel):
    """What the next samples of the queue are worth."""

    num: int
    expected_precision: float | None
    """Share of them expected to be labelled wrongly; null where none is left."""
    expected_found: float


class CurvePointRead(ReadModel):
    """Review `num` more, worst first: how many wrong labels that finds, and how many it leaves."""

    num: int
    found: NumberRead
    left: NumberRead


class ReliabilityRead(ReadModel):
    """Decided samples whose probability lay in one range: how many were wrong indeed."""

    low: float
    high: float
    num: int
    mean_p: float
    mean_calibrated: float
    share_wrong: float


class ProgressRead(ReadModel):
    """How far the review of an audit is, and what is left."""

    job_id: UUID
    num_samples: int
    num_flagged: int
    num_decided: int
    num_flagged_left: int
    decisions: dict[str, int]
    calibrated: bool
    """Whether `p_mislabeled` has learned from decisions."""
    calibrated_at: datetime | None
    num_learned: int
    """Decisions that it has learned from."""
    num_new: int
    """Decisions since then."""
    next: NextRead
    remaining: NumberRead
    """Wrong labels among the samples that nobody has decided on."""
    remaining_from: str
    """`decisions` or `probabilities`: what the estimate rests on."""
    curve: list[CurvePointRead]
    reliability: list[ReliabilityRead]
    by_chance: ByChanceRead
    rates: RatesRead | None
    """Null before it has learned."""
    predictive_check: float | None
    """How probable decisions are that differ as much from what was expected, 0 to 1; null before it
    has learned. Below .01 the correction does not fit."""


class RecalibrationRead(ReadModel):
    """The job that learns; it is that of an earlier request where that has not ended yet."""

    job_id: UUID


class ChangedRead(ReadModel):
    """A sample that one audit flags and the other does not."""

    sample_id: str
    path: str
    given_label: str
    suggested_label: str
    p_mislabeled: float | None

    @classmethod
    def of(cls, row: tuple[Finding, str], classes: list[str]) -> "ChangedRead":
        """Describe a row; `p_mislabeled` and suggestion are of the audit that flags it."""
        finding, path = row
        return cls(
            sample_id=format_sample_id(finding.sample_id),
            path=path,
            given_label=classes[finding.given_label],
            suggested_label=classes[finding.suggested_label],
            p_mislabeled=finding.p_mislabeled,
        )


class DifferenceRead(ReadModel):
    """What an audit sees otherwise than an earlier one of the same data set."""

    job_id: UUID
    against: UUID
    num_newly_flagged: int
    num_no_longer_flagged: int
    num_verified: int
    """Samples with a decision before the audit, whose labels it took for right."""
    num_agreeing: int
    """Those of them whose decided label the new training finds most probable too."""
    newly_flagged: list[ChangedRead]
    no_longer_flagged: list[ChangedRead]


def stored_calibration(version: ResultVersion) -> dict[str, Any]:
    """Return what the last re-calibration left; empty before the first."""
    return version.calibration or {}
