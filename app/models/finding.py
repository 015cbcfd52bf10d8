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
    literal_column,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Base, BigInt, HasCreatedAt

_ODD = "verdict NOT IN ('clean', 'mislabeled')"


class ResultVersion(HasCreatedAt, Base):
    """The results of one attempt: invisible until the job row points here."""

    __tablename__ = "result_versions"
    __table_args__ = (Index(None, "job_id"), Index(None, "superseded_at"))

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
        Index(None, "version_id", "rank", unique=True),
        # Made after the one above: of two that fit, SQLite prefers the later one.
        Index(
            "ix_findings_flagged",
            "version_id",
            "rank",
            sqlite_where=text("flagged"),
            postgresql_where=text("flagged"),
        ),
        Index(None, "version_id", "loss", "rank"),
        # Kinds that few samples are of; the two others are found by the indexes above.
        Index(
            "ix_findings_odd",
            "version_id",
            "verdict",
            "rank",
            sqlite_where=text(_ODD),
            postgresql_where=text(_ODD),
        ),
        {"sqlite_with_rowid": False},
    )

    version_id: Mapped[int] = mapped_column(
        BigInt, ForeignKey("result_versions.id", ondelete="CASCADE"), primary_key=True
    )
    sample_id: Mapped[int] = mapped_column(BigInt, primary_key=True)
    """No foreign key: a look at the sample and one more index took half of the time of a load.
    Samples go with their data set, and so do its jobs with their versions."""
    rank: Mapped[int]
    """1 = worst: the total order (p_mislabeled descending, sample_id), unjudged samples last."""
    given_label: Mapped[int]
    suggested_label: Mapped[int]
    suggested_confidence: Mapped[float]
    p_mislabeled: Mapped[float | None]
    """Empty where there is not enough to judge."""
    p_uncalibrated: Mapped[float | None]
    """As the audit itself said, where `p_mislabeled` has learned from decisions since."""
    flagged: Mapped[bool]
    loss: Mapped[float]
    verdict: Mapped[str] = mapped_column(String(24))
    signals: Mapped[dict[str, float]]
    likely: Mapped[bytes | None] = mapped_column(LargeBinary)
    """Further classes with their probabilities, see `unpack_likely`."""


# Written out: SQLite uses the partial index only for these very words, and SQLAlchemy would
# write `flagged = 1` there.
FLAGGED: ColumnElement[bool] = literal_column("findings.flagged")
IS_ODD: ColumnElement[bool] = literal_column(f"findings.{_ODD}")
"""Neither mislabelled nor clean."""
