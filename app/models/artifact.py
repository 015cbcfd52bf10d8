from uuid import UUID

from sqlalchemy import BigInteger, ForeignKey, Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Base, BigInt, HasCreatedAt, HasId, HasTenant


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
