"""What is promised of an audit's samples, and the checks that it stands on."""

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Base, BigInt, HasCreatedAt, HasId, HasTenant, enum_type


class PromiseKind(StrEnum):
    """What is promised."""

    BAND = "band"
    """Of the worst samples nearly all suggestions are right: accept them in bulk."""
    STOP = "stop"
    """Of the samples that nobody had decided on few are wrong: stop the review."""


class PromiseState(StrEnum):
    """How far a promise is; the last three are final."""

    OPEN = "open"
    KEPT = "kept"
    BROKEN = "broken"
    CLOSED = "closed"
    """Given up before anything was proved or refuted."""


class BandAction(StrEnum):
    """What is done to a band in bulk."""

    RELABEL = "relabel"
    EXCLUDE = "exclude"


class Promise(HasId, HasTenant, HasCreatedAt, Base):
    """All that decides it is pinned when it is opened: nothing that is found later can choose."""

    __tablename__ = "promises"
    __table_args__ = (Index(None, "job_id", "created_at", "id"), Index(None, "dataset_id"))

    job_id: Mapped[UUID] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"))
    dataset_id: Mapped[UUID] = mapped_column(ForeignKey("datasets.id", ondelete="CASCADE"))
    kind: Mapped[PromiseKind] = mapped_column(enum_type(PromiseKind, length=8))
    state: Mapped[PromiseState] = mapped_column(
        enum_type(PromiseState, length=8), default=PromiseState.OPEN
    )
    version_id: Mapped[int] = mapped_column(BigInteger)
    """The results that it was opened on. No foreign key: what is needed of them is copied."""
    opened_after: Mapped[int] = mapped_column(BigInteger)
    """The last entry of the log at the opening: what was decided then is no part of it."""
    num_samples: Mapped[int]
    """Undecided at the opening."""
    seed: Mapped[int] = mapped_column(BigInteger)
    key_id: Mapped[str | None] = mapped_column(String(16))
    """Who opened it; none where the service runs without keys."""
    terms: Mapped[dict[str, Any]]
    """Bands, numbers and chances: see `app.promises.terms`."""
    ended_at: Mapped[datetime | None]
    result: Mapped[dict[str, Any] | None]
    """The figures with which it ended."""
    accepted_step_id: Mapped[int | None] = mapped_column(BigInteger)
    """The last step of the log that accepted a band."""


class PromiseSample(Base):
    """A place of the ranked list as it was at the opening, as far as the widest band goes."""

    __tablename__ = "promise_samples"
    __table_args__ = ({"sqlite_with_rowid": False},)

    promise_id: Mapped[UUID] = mapped_column(
        ForeignKey("promises.id", ondelete="CASCADE"), primary_key=True
    )
    place: Mapped[int] = mapped_column(primary_key=True)
    """1 = worst; decided samples have none."""
    sample_id: Mapped[int] = mapped_column(BigInt)
    """No foreign key, here and below: samples are only removed with all that hangs on them."""
    suggested_label: Mapped[int]


class PromiseCheck(Base):
    """A sample that was drawn, and the step of the log that answered it."""

    __tablename__ = "promise_checks"
    __table_args__ = ({"sqlite_with_rowid": False},)

    promise_id: Mapped[UUID] = mapped_column(
        ForeignKey("promises.id", ondelete="CASCADE"), primary_key=True
    )
    band: Mapped[int] = mapped_column(primary_key=True)
    """Place among the bands, from 0; a stop has but one draw."""
    position: Mapped[int] = mapped_column(primary_key=True)
    """Order of the draw, from 0."""
    sample_id: Mapped[int] = mapped_column(BigInt)
    suggested_label: Mapped[int | None]
    """What a band's reviewer is not shown, and the answer is compared with."""
    step_id: Mapped[int | None] = mapped_column(BigInteger)
    """None before it was answered. Undone, it is as good as none."""
