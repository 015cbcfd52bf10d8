"""Versions of results, their findings and artifacts, and the public keys that sign them."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    ForeignKey,
    Index,
    LargeBinary,
    String,
    UniqueConstraint,
    and_,
    text,
    true,
)
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Base, BigInt, HasCreatedAt, HasId, HasTenant

CONFLICT = "conflict"
"""Verdict of a picture that has several labels: a fact, which no model and no decision on other
samples changes."""
ODD = "verdict NOT IN ('clean', 'mislabeled')"
"""Neither mislabelled nor clean; SQLite uses the index of these only for the very words."""


class ResultVersion(HasCreatedAt, Base):
    """The results of one attempt: invisible until the job row points here."""

    __tablename__ = "result_versions"
    __table_args__ = (
        Index(None, "job_id"),
        Index(None, "superseded_at"),
        # Never an id twice: no foreign key removes the findings of a version that is gone.
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(BigInt, primary_key=True)
    tenant_id: Mapped[UUID] = mapped_column(ForeignKey("tenants.id"))
    job_id: Mapped[UUID] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"))
    attempt: Mapped[int]
    base_id: Mapped[int | None] = mapped_column(BigInteger)
    """The version of the audit itself, whose ranks a re-calibrated one keeps; else none."""
    calibration: Mapped[dict[str, Any] | None]
    """What was learned from decisions, and what they say of the rest."""
    superseded_at: Mapped[datetime | None]
    """When newer results took its place; cursors of walks under way still read it for a day."""

    @property
    def order_id(self) -> int:
        """The version that gave the ranks: equal for all versions that order alike."""
        return self.id if self.base_id is None else self.base_id


class Finding(Base):
    """What one audit says of one training sample."""

    __tablename__ = "findings"
    __table_args__ = (
        # With all that is asked of it: else SQLite would rather walk the whole version by rank.
        Index(
            "ix_findings_flagged",
            "version_id",
            "flagged",
            "rank",
            "sample_id",
            sqlite_where=text("flagged = 1"),
            postgresql_where=text("flagged"),
        ),
        # Kinds that few samples are of; the two others are found by the ranks.
        Index(
            "ix_findings_odd",
            "version_id",
            "verdict",
            "rank",
            sqlite_where=text(ODD),
            postgresql_where=text(ODD),
        ),
        {"sqlite_with_rowid": False},
    )

    version_id: Mapped[int] = mapped_column(BigInt, primary_key=True)
    """No foreign key, here and below: looking each up took a third of a load. What removes a
    version removes its rows, `app.datasets.removal_repository`."""
    rank: Mapped[int] = mapped_column(primary_key=True)
    """1 = worst: the total order (p_mislabeled descending, sample_id), unjudged samples last."""
    sample_id: Mapped[int] = mapped_column(BigInt)
    given_label: Mapped[int]
    suggested_label: Mapped[int]
    suggested_confidence: Mapped[float]
    p_mislabeled: Mapped[float | None]
    """Empty where there is not enough to judge."""
    p_uncalibrated: Mapped[float | None]
    """As the audit itself said, where `p_mislabeled` has learned from decisions since."""
    posterior: Mapped[float | None]
    """Of the mixture of losses that the label is wrong, where the audit stored that signal."""
    flagged: Mapped[bool]
    loss: Mapped[float]
    verdict: Mapped[str] = mapped_column(String(24))
    signals: Mapped[dict[str, float]]
    likely: Mapped[bytes | None] = mapped_column(LargeBinary)
    """Further classes with their probabilities, see `unpack_likely`."""


class SampleRank(Base):
    """Where the finding of a sample is: an index that is written in its own order."""

    __tablename__ = "sample_ranks"
    __table_args__ = ({"sqlite_with_rowid": False},)

    version_id: Mapped[int] = mapped_column(BigInt, primary_key=True)
    sample_id: Mapped[int] = mapped_column(BigInt, primary_key=True)
    rank: Mapped[int]


class LossRank(Base):
    """The findings by their loss: as above."""

    __tablename__ = "loss_ranks"
    __table_args__ = ({"sqlite_with_rowid": False},)

    version_id: Mapped[int] = mapped_column(BigInt, primary_key=True)
    loss: Mapped[float] = mapped_column(primary_key=True)
    rank: Mapped[int] = mapped_column(primary_key=True)


class PosteriorRank(Base):
    """The findings by their posterior, the largest first: as above."""

    __tablename__ = "posterior_ranks"
    __table_args__ = ({"sqlite_with_rowid": False},)

    version_id: Mapped[int] = mapped_column(BigInt, primary_key=True)
    minus_posterior: Mapped[float] = mapped_column(primary_key=True)
    """So equal posteriors go by rank, the worst first; `NO_POSTERIOR` stands after all."""
    rank: Mapped[int] = mapped_column(primary_key=True)


NO_POSTERIOR = 1.0
"""Above minus any probability."""


def minus_posterior(posterior: float | None) -> float:
    """Return the key of a posterior, or of none, in `PosteriorRank`."""
    return NO_POSTERIOR if posterior is None else 0.0 - posterior


OF_SAMPLE: ColumnElement[bool] = and_(
    SampleRank.version_id == Finding.version_id, SampleRank.rank == Finding.rank
)
"""Ties a finding to its row of `SampleRank`, by which whoever knows the sample finds it."""
FLAGGED: ColumnElement[bool] = Finding.flagged == true()
"""In the very words of the index, which SQLite would not use for others."""


class Artifact(HasId, HasTenant, HasCreatedAt, Base):
    """A file that an audit made: model, card, report."""

    __tablename__ = "artifacts"
    __table_args__ = (UniqueConstraint("version_id", "kind"), Index(None, "job_id"))

    version_id: Mapped[int] = mapped_column(
        BigInt, ForeignKey("result_versions.id", ondelete="CASCADE")
    )
    job_id: Mapped[UUID] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"))
    kind: Mapped[str] = mapped_column(String(24))
    """`safetensors`, `card` or `report`."""
    name: Mapped[str] = mapped_column(String(100))
    sha256: Mapped[str] = mapped_column(String(64))
    num_bytes: Mapped[int] = mapped_column(BigInteger)
    media_type: Mapped[str] = mapped_column(String(60))


class PublishedKey(HasCreatedAt, Base):
    """The public half of a key that has signed: kept for good, so that old signatures verify.

    Of the service, not of a tenant.
    """

    __tablename__ = "published_keys"

    key_id: Mapped[str] = mapped_column(String(16), primary_key=True)
    public_key: Mapped[str] = mapped_column(String(64))
    """32 bytes, hexadecimal."""
