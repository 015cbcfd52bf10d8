"""Tenants, who calls for them, and what they did."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from app.core.clock import utc_now
from app.models.base import Base, BigInt, HasCreatedAt, HasId, HasTenant


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


class ApiKey(HasId, HasTenant, HasCreatedAt, Base):
    """A credential. Only a keyed hash of it is kept."""

    __tablename__ = "api_keys"
    __table_args__ = (Index(None, "tenant_id"),)

    name: Mapped[str] = mapped_column(String(100))
    key_id: Mapped[str] = mapped_column(String(16), unique=True)
    """The public part of the key, by which it is found."""
    key_hash: Mapped[str] = mapped_column(String(64))
    """HMAC-SHA256 of the whole key, hexadecimal."""
    scopes: Mapped[list[str]]
    expires_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]
    last_used_at: Mapped[datetime | None]


class WebSession(HasId, HasTenant, HasCreatedAt, Base):
    """A browser that signed in with a key. It may do what the key may, and ends with it."""

    __tablename__ = "web_sessions"
    __table_args__ = (Index(None, "expires_at"), Index(None, "key_id"))

    token_hash: Mapped[str] = mapped_column(String(64), unique=True)
    """HMAC-SHA256 of what the browser holds, hexadecimal."""
    key_id: Mapped[str] = mapped_column(ForeignKey("api_keys.key_id", ondelete="CASCADE"))
    expires_at: Mapped[datetime]


class IdempotencyKey(Base):
    """A request that was carried out once, so that its repetition is only answered again."""

    __tablename__ = "idempotency_keys"
    __table_args__ = (Index(None, "created_at"),)

    tenant_id: Mapped[UUID] = mapped_column(ForeignKey("tenants.id"), primary_key=True)
    key: Mapped[str] = mapped_column(String(255), primary_key=True)
    request_hash: Mapped[str] = mapped_column(String(64))
    """SHA-256 of caller, route and what was sent: the same key with another body is a mistake."""
    reply: Mapped[bytes | None]
    """Status, headers and body, encrypted: some replies show a secret this once.

    None only inside the transaction that carries the request out.
    """
    created_at: Mapped[datetime] = mapped_column(default=utc_now)


class AuditEntry(HasCreatedAt, Base):
    """One administrative act. Rows are added, never changed."""

    __tablename__ = "audit_entries"
    __table_args__ = (Index(None, "tenant_id", "id"),)

    id: Mapped[int] = mapped_column(BigInt, primary_key=True)
    tenant_id: Mapped[UUID] = mapped_column(ForeignKey("tenants.id"))
    """Whose log it stands in: that of the tenant that it concerns."""
    key_id: Mapped[str | None] = mapped_column(String(16))
    """Public part of the key that did it; none for the command line."""
    action: Mapped[str] = mapped_column(String(40))
    """Such as `key.created`."""
    target: Mapped[str] = mapped_column(String(100))
    """Id of what it was done to."""
    details: Mapped[dict[str, Any]]
