"""Who looks at which sample: turns of several reviewers, and samples to look at first."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Base, BigInt, HasCreatedAt, HasTenant


class ReviewClaim(HasTenant, HasCreatedAt, Base):
    """A sample that is one reviewer's for a while; gone once it is decided on or expires."""

    __tablename__ = "review_claims"
    __table_args__ = (Index(None, "dataset_id", "expires_at"), Index(None, "job_id"))

    sample_id: Mapped[int] = mapped_column(
        BigInt, ForeignKey("samples.id", ondelete="CASCADE"), primary_key=True
    )
    reviewer: Mapped[str] = mapped_column(String(16), primary_key=True)
    """Public part of the reviewer's key; empty where the service runs without keys."""
    dataset_id: Mapped[UUID] = mapped_column(ForeignKey("datasets.id", ondelete="CASCADE"))
    job_id: Mapped[UUID] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"))
    blind: Mapped[bool]
    """Whether the reviewer sees no suggestion and no probability."""
    second: Mapped[bool]
    """Whether another reviewer has decided already, and this one may not see what."""
    expires_at: Mapped[datetime]


class SecondOpinion(HasTenant, HasCreatedAt, Base):
    """A sample that two reviewers are to decide on, each without the other."""

    __tablename__ = "second_opinions"
    __table_args__ = (Index(None, "sample_id"),)

    job_id: Mapped[UUID] = mapped_column(
        ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True
    )
    sample_id: Mapped[int] = mapped_column(
        BigInt, ForeignKey("samples.id", ondelete="CASCADE"), primary_key=True
    )


class FirstLook(HasTenant, HasCreatedAt, Base):
    """A sample to look at first: decisions on these few teach most about all the others."""

    __tablename__ = "first_looks"
    __table_args__ = (Index(None, "sample_id"),)

    job_id: Mapped[UUID] = mapped_column(
        ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True
    )
    position: Mapped[int] = mapped_column(primary_key=True)
    """From 0: the order in which they are to be looked at."""
    sample_id: Mapped[int] = mapped_column(BigInt, ForeignKey("samples.id", ondelete="CASCADE"))
    by_chance: Mapped[bool]
    """Whether chance alone chose it; the others are those on which the hypotheses differ most."""
