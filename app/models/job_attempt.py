from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Base, BigInt, enum_type


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
