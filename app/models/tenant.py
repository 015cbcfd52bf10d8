from sqlalchemy import BigInteger, String
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Base, HasCreatedAt, HasId


class Tenant(HasId, HasCreatedAt, Base):
    """A team whose data nobody else sees."""

    __tablename__ = "tenants"

    name: Mapped[str] = mapped_column(String(100), unique=True)
    max_bytes: Mapped[int | None] = mapped_column(BigInteger)
    """This and what follows are the tenant's own quotas; where empty, the service's hold."""
    max_samples: Mapped[int | None] = mapped_column(BigInteger)
    max_queued_jobs: Mapped[int | None] = mapped_column(BigInteger)
    max_running_jobs: Mapped[int | None] = mapped_column(BigInteger)
    max_gpu_minutes: Mapped[int | None] = mapped_column(BigInteger)
    """In one calendar month, UTC."""
    max_requests_per_minute: Mapped[int | None] = mapped_column(BigInteger)
