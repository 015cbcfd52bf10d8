from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from pydantic import Field

from app.core.ids import format_sample_id
from app.core.schemas import InputModel, ReadModel
from app.learning.estimates import Share
from app.models import Finding, ResultVersion, Sample

MAX_DRAWN = 5_000


class RandomSampleWrite(InputModel):
    """How many samples are to be drawn by chance alone."""

    count: Annotated[int, Field(strict=True, ge=1, le=MAX_DRAWN)] = 200
    """In all: asking for more later prolongs the same list."""
    seed: Annotated[int, Field(strict=True, ge=0, lt=2**31)] | None = None
    """By default one is chosen; it is kept, and draws the same samples again."""


class RandomSampleRead(ReadModel):
    """One sample of the draw, as it is to be reviewed: without suggestion."""

    position: int
    sample_id: str
    path: str
    given_label: str
    decision: str | None
    version: int

    @classmethod
    def of(cls, row: tuple[int, Finding, Sample], classes: list[str]) -> "RandomSampleRead":
        """Describe a row."""
        position, finding, sample = row
        return cls(
            position=position,
            sample_id=format_sample_id(sample.id),
            path=sample.path,
            given_label=classes[finding.given_label],
            decision=sample.decision,
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


class DrawRead(ReadModel):
    """What was drawn by chance, and what it says of all labels."""

    num_drawn: int
    num_decided: int
    """Those whose decision says whether the label is right."""
    num_wrong: int
    seed: int | None
    noise_rate: ShareRead | None
    """Share of wrong labels in the data set as it was given; null until some are decided."""


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


class StopRead(ReadModel):
    """Whether going on is worth it."""

    may_stop: bool
    target_share: float
    """What share of all labels may stay wrong."""
    target_num: float
    num_to_review: int | None
    """So many more, worst first, and you may stop; null where that is not known."""
    advice: str


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
    """`random_sample`, `decisions`, or `probabilities`: what the estimate rests on."""
    curve: list[CurvePointRead]
    reliability: list[ReliabilityRead]
    random_sample: DrawRead
    stop: StopRead


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
