from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Base, BigInt, HasCreatedAt, HasId, HasTenant, enum_type


class DatasetState(StrEnum):
    """Where a data set is on its way in."""

    PENDING = "pending"
    READY = "ready"
    FAILED = "failed"
    DELETING = "deleting"
    """Nobody sees it any more; its rows go little by little."""


class Dataset(HasId, HasTenant, HasCreatedAt, Base):
    """One uploaded set of labelled images."""

    __tablename__ = "datasets"
    __table_args__ = (
        Index(None, "tenant_id", "created_at", "id"),
        Index(None, "parent_id"),
    )

    parent_id: Mapped[UUID | None]
    """The version before, whose samples this one holds too; none once that is deleted. No foreign
    key: SQLite could only be given one by making the table anew."""
    version: Mapped[int] = mapped_column(default=1, server_default="1")
    """Counts the parts: 1 is an upload by itself, more than that goes on from `parent_id`."""
    name: Mapped[str] = mapped_column(String(200))
    state: Mapped[DatasetState] = mapped_column(enum_type(DatasetState, length=16))
    upload_name: Mapped[str] = mapped_column(String(255))
    upload_sha256: Mapped[str] = mapped_column(String(64))
    upload_bytes: Mapped[int] = mapped_column(BigInteger)
    columns: Mapped[dict[str, Any] | None]
    """What the uploader calls the columns of tables of labels, where that was said."""
    num_samples: Mapped[int] = mapped_column(default=0)
    num_rejected: Mapped[int] = mapped_column(default=0)
    num_duplicates: Mapped[int] = mapped_column(default=0)
    """Samples whose content another sample of the set has too."""
    classes: Mapped[list[str]] = mapped_column(default=list)
    """Class names; a label is an index into this list."""
    splits: Mapped[dict[str, Any]] = mapped_column(default=dict)
    """Number of samples by split name."""
    content_hash: Mapped[str | None] = mapped_column(String(64))
    """SHA-256 over path, label, split and content of all samples, independent of the packing."""
    image_size: Mapped[int | None]
    """Side of the decoded image cache in pixels."""
    ingest_report: Mapped[dict[str, Any]] = mapped_column(default=dict)
    """Warnings and groups of equal images."""


class RejectedFile(Base):
    """A file of the upload that became no sample, and why."""

    __tablename__ = "rejected_files"
    __table_args__ = (Index(None, "dataset_id", "id"),)

    id: Mapped[int] = mapped_column(BigInt, primary_key=True)
    tenant_id: Mapped[UUID] = mapped_column(ForeignKey("tenants.id"))
    dataset_id: Mapped[UUID] = mapped_column(ForeignKey("datasets.id", ondelete="CASCADE"))
    path: Mapped[str]
    code: Mapped[str] = mapped_column(String(40))
    detail: Mapped[str]
