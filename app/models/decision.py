"""Decisions of reviewers, and their claims and reviews."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import BigInteger, ForeignKey, Index, String, UniqueConstraint, false
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Base, BigInt, HasCreatedAt, HasTenant, enum_type


class Decision(StrEnum):
    """What a reviewer makes of a sample's given label."""

    KEEP = "keep"
    RELABEL = "relabel"
    EXCLUDE = "exclude"
    UNSURE = "unsure"


class Exclusion(StrEnum):
    """Why a sample should not be trained on, whatever its label."""

    OFF_TOPIC = "off_topic"
    DUPLICATE = "duplicate"
    UNREADABLE = "unreadable"


class StepKind(StrEnum):
    """How a step changed its samples."""

    DECIDE = "decide"
    UNDO = "undo"
    REDO = "redo"


class DecisionStep(HasCreatedAt, Base):
    """One act of a reviewer, on one sample or on many: what undo takes back as a whole."""

    __tablename__ = "decision_steps"
    __table_args__ = (
        Index(None, "dataset_id", "kind", "undone", "id"),
        Index(None, "job_id"),
    )

    id: Mapped[int] = mapped_column(BigInt, primary_key=True)
    tenant_id: Mapped[UUID] = mapped_column(ForeignKey("tenants.id"))
    dataset_id: Mapped[UUID] = mapped_column(ForeignKey("datasets.id", ondelete="CASCADE"))
    kind: Mapped[StepKind] = mapped_column(enum_type(StepKind, length=8))
    target_id: Mapped[int | None] = mapped_column(BigInteger)
    """The step that an undo or a redo is about."""
    undone: Mapped[bool] = mapped_column(default=False)
    """Whether a `decide` is taken back at present: the one thing here that ever changes."""
    job_id: Mapped[UUID | None] = mapped_column(ForeignKey("jobs.id", ondelete="SET NULL"))
    """The audit whose results the reviewer saw."""
    key_id: Mapped[str | None] = mapped_column(String(16))
    """The reviewer's key; none where the service runs without keys."""
    comment: Mapped[str | None] = mapped_column(String(500))
    num_samples: Mapped[int] = mapped_column(default=0)
    by_filter: Mapped[bool] = mapped_column(default=False, server_default=false())
    """Whether samples were met by a filter: nobody need have looked at each of them."""
    resolves: Mapped[bool] = mapped_column(default=False, server_default=false())
    """Whether it settles what two reviewers saw differently."""


class DecisionEntry(Base):
    """How one step changed one sample. Rows are added, never changed."""

    __tablename__ = "decision_entries"
    __table_args__ = (
        UniqueConstraint("step_id", "sample_id"),
        Index(None, "dataset_id", "id"),
        Index(None, "sample_id", "id"),
    )

    id: Mapped[int] = mapped_column(BigInt, primary_key=True)
    dataset_id: Mapped[UUID] = mapped_column(ForeignKey("datasets.id", ondelete="CASCADE"))
    step_id: Mapped[int] = mapped_column(
        BigInt, ForeignKey("decision_steps.id", ondelete="CASCADE")
    )
    sample_id: Mapped[int] = mapped_column(BigInt, ForeignKey("samples.id", ondelete="CASCADE"))
    from_decision: Mapped[Decision | None] = mapped_column(enum_type(Decision, length=16))
    from_label: Mapped[int | None]
    from_reason: Mapped[Exclusion | None] = mapped_column(enum_type(Exclusion, length=16))
    to_decision: Mapped[Decision | None] = mapped_column(enum_type(Decision, length=16))
    to_label: Mapped[int | None]
    to_reason: Mapped[Exclusion | None] = mapped_column(enum_type(Exclusion, length=16))
    previous_id: Mapped[int | None] = mapped_column(BigInteger)
    """The entry in force before; undoing a `decide` goes back to it."""
    restored_id: Mapped[int | None] = mapped_column(BigInteger)
    """The entry that an undo or a redo puts in force again; an undo may find none."""
    version: Mapped[int]
    """The sample's version after this change."""


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
