from sqlalchemy import String
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Base, HasCreatedAt, HasId


class Tenant(HasId, HasCreatedAt, Base):
    """A team whose data nobody else sees."""

    __tablename__ = "tenants"

    name: Mapped[str] = mapped_column(String(100), unique=True)
