"""Jobs, and the attempts at them."""

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    ForeignKey,
    Index,
    PrimaryKeyConstraint,
    String,
    cast,
)
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Base, BigInt, HasCreatedAt, HasId, HasTenant, enum_type


class JobKind(StrEnum):
    """What a job is for. An upload that is also audited is one `audit`."""

    INGEST = "ingest"
    AUDIT = "audit"
    SCORE = "score"
    """Judges uploaded probabilities: no images, no training."""
    EXPORT = "export"
    """Writes a data set for another tool; the file is its one artifact."""
    RECALIBRATE = "recalibrate"
    """Lets an audit's probabilities learn from decisions; the results are the audit's own."""
    PREDICT = "predict"
    """Shows images to the model of an audit; the answer is its one artifact."""


JUDGING_KINDS = frozenset({JobKind.AUDIT, JobKind.SCORE})
"""Their results are findings; a re-calibration renews those of the job that it names."""


class JobState(StrEnum):
    """The states of a job; the last three are final."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"


FINAL_STATES = frozenset({JobState.SUCCEEDED, JobState.FAILED, JobState.CANCELLED})


class Queue(StrEnum):
    """Training waits on `gpu`; short work never waits behind it."""

    GPU = "gpu"
    CPU = "cpu"


class Job(HasId, HasTenant, HasCreatedAt, Base):
    """The only truth about a piece of work (see docs/decisions on the job protocol)."""

    __tablename__ = "jobs"
    __table_args__ = (
        Index(None, "tenant_id", "created_at", "id"),
        Index(None, "state", "queue", "queued_at"),
        Index(None, "dataset_id"),
    )

    dataset_id: Mapped[UUID] = mapped_column(ForeignKey("datasets.id", ondelete="CASCADE"))
    kind: Mapped[JobKind] = mapped_column(enum_type(JobKind, length=16))
    queue: Mapped[Queue] = mapped_column(enum_type(Queue, length=8))
    state: Mapped[JobState] = mapped_column(
        enum_type(JobState, length=16),
        default=JobState.QUEUED,
    )
    stage: Mapped[str] = mapped_column(String(24), default="queued")
    options: Mapped[dict[str, Any]] = mapped_column(default=dict)
    input_bytes: Mapped[int] = mapped_column(BigInteger, default=0, server_default="0")
    """Size of the files that came with the job; they go when it succeeds."""

    attempt: Mapped[int] = mapped_column(default=0)
    """Counts the claims; with `owner` the fencing token that every later write carries."""
    lost_attempts: Mapped[int] = mapped_column(default=0)
    """Attempts that ended without a word; the budget is `max_attempts`."""
    handed_over: Mapped[bool] = mapped_column(default=False)
    """Set between ingest and training: the next claim goes on with the same attempt."""
    owner: Mapped[str | None] = mapped_column(String(120))
    lease_until: Mapped[float | None]
    """Seconds since 1970 by the database clock."""
    cancel_requested: Mapped[bool] = mapped_column(default=False)
    checkpoint: Mapped[str | None] = mapped_column(String(255))
    """Last good checkpoint, relative to the data folder."""

    fraction: Mapped[float] = mapped_column(default=0.0)
    epoch: Mapped[int | None]
    epochs: Mapped[int | None]
    eta_seconds: Mapped[float | None]
    images_per_second: Mapped[float | None]
    metrics: Mapped[dict[str, Any] | None]
    """Losses and noise model after the last epoch."""
    error_code: Mapped[str | None] = mapped_column(String(40))
    error_detail: Mapped[str | None]

    queued_at: Mapped[datetime]
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]
    result_version: Mapped[int | None] = mapped_column(BigInteger)
    """The published results; swapped in by one fenced write."""


class JobEvent(Base):
    """What happened to a job, in order: the source of the event stream."""

    __tablename__ = "job_events"

    job_id: Mapped[UUID] = mapped_column(
        ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True
    )
    seq: Mapped[int] = mapped_column(primary_key=True)
    tenant_id: Mapped[UUID] = mapped_column(ForeignKey("tenants.id"))
    type: Mapped[str] = mapped_column(String(24))
    data: Mapped[dict[str, Any]]
    created_at: Mapped[datetime]


NO_STAGE = "none"
"""Stage in counts of a claim that ended before it had one."""


class AttemptOutcome(StrEnum):
    """How a claim of a job ended."""

    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"
    HANDED_OVER = "handed_over"
    """The data set was read; the training goes on in the other queue."""
    GIVEN_BACK = "given_back"
    """Its worker was shut down in good order."""
    LOST = "lost"
    """The process died; its worker noticed."""
    EXPIRED = "expired"
    """The worker died too, or was cut off; the sweeper noticed."""


class JobAttempt(Base):
    """One claim of one job by one worker, kept for as long as the job."""

    __tablename__ = "job_attempts"
    __table_args__ = (
        Index(None, "job_id", "id"),
        Index(None, "outcome", "stage"),
        Index(None, "tenant_id", "started_at"),
    )

    id: Mapped[int] = mapped_column(BigInt, primary_key=True)
    tenant_id: Mapped[UUID] = mapped_column(ForeignKey("tenants.id"))
    job_id: Mapped[UUID] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"))
    attempt: Mapped[int]
    """The fencing number: a hand-over to the other queue goes on with the same."""
    owner: Mapped[str] = mapped_column(String(120))
    stage: Mapped[str | None] = mapped_column(String(24))
    started_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    seconds: Mapped[float | None]
    outcome: Mapped[AttemptOutcome | None] = mapped_column(enum_type(AttemptOutcome, length=16))
    """None while it runs."""
    log: Mapped[str | None]
    """End of what its process wrote to standard error."""


MILLISECONDS: ColumnElement[int] = cast(JobAttempt.seconds * 1000, BigInteger)
"""Whole numbers: a sum of them is the same in any order, so that no counter falls by a rounding."""


class EndedAttempts(HasTenant, Base):
    """How attempts of deleted jobs ended: what counts attempts must not fall when rows go."""

    __tablename__ = "ended_attempts"
    __table_args__ = (PrimaryKeyConstraint("tenant_id", "outcome", "stage"),)

    outcome: Mapped[AttemptOutcome] = mapped_column(enum_type(AttemptOutcome, length=16))
    stage: Mapped[str] = mapped_column(String(24))
    num_attempts: Mapped[int] = mapped_column(BigInteger)
    milliseconds: Mapped[int] = mapped_column(BigInteger)
