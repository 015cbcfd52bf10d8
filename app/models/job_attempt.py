from datetime import datetime
from enum import StrEnum
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

from app.models.base import Base, BigInt, HasTenant, enum_type

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
