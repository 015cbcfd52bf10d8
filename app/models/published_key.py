from sqlalchemy import String
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Base, HasCreatedAt


class PublishedKey(HasCreatedAt, Base):
    """The public half of a key that has signed: kept for good, so that old signatures verify.

    Of the service, not of a tenant.
    """

    __tablename__ = "published_keys"

    key_id: Mapped[str] = mapped_column(String(16), primary_key=True)
    public_key: Mapped[str] = mapped_column(String(64))
    """32 bytes, hexadecimal."""
