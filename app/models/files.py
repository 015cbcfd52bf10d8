"""Stored blobs, resumable uploads, and the mark of the folders that they are in."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Base, HasCreatedAt, HasId, HasTenant


class Blob(HasCreatedAt, Base):
    """Bytes in the store, named by their SHA-256; one copy per tenant."""

    __tablename__ = "blobs"

    tenant_id: Mapped[UUID] = mapped_column(ForeignKey("tenants.id"), primary_key=True)
    sha256: Mapped[str] = mapped_column(String(64), primary_key=True)
    num_bytes: Mapped[int] = mapped_column(BigInteger)


class FolderMark(Base):
    """The name of a file that the API leaves in its folders: who sees it there shares them.

    Of the service, not of a tenant; there is one row.
    """

    __tablename__ = "folder_marks"

    service: Mapped[str] = mapped_column(String(16), primary_key=True)
    mark: Mapped[str] = mapped_column(String(32))
    """Random."""


class Upload(HasId, HasTenant, HasCreatedAt, Base):
    """A resumable upload: how much of a file is durably here.

    Also the bytes of a request that brings a whole file, while they arrive: what is announced
    counts against the quota.
    """

    __tablename__ = "uploads"
    __table_args__ = (Index(None, "tenant_id"), Index(None, "expires_at"), Index(None, "job_id"))

    num_bytes: Mapped[int] = mapped_column(BigInteger)
    """Of the whole file, as the client announced."""
    offset: Mapped[int] = mapped_column(BigInteger, default=0)
    """Bytes that are on disk and checked; what the file holds beyond is not trusted."""
    details: Mapped[dict[str, Any]] = mapped_column(default=dict)
    """The client's metadata, texts by key."""
    sha256: Mapped[str | None] = mapped_column(String(64))
    """Of the whole file, once it is whole."""
    expires_at: Mapped[datetime]
    job_id: Mapped[UUID | None] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"))
    """What the upload became; its file is then the data set's."""
