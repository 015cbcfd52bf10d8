from uuid import UUID

from sqlalchemy import BigInteger, ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Base, HasCreatedAt


class Blob(HasCreatedAt, Base):
    """Bytes in the store, named by their SHA-256; one copy per tenant."""

    __tablename__ = "blobs"

    tenant_id: Mapped[UUID] = mapped_column(ForeignKey("tenants.id"), primary_key=True)
    sha256: Mapped[str] = mapped_column(String(64), primary_key=True)
    num_bytes: Mapped[int] = mapped_column(BigInteger)
