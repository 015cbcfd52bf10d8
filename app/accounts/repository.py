"""Tenants and their keys."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import bindparam, or_, select, tuple_, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from app.models import ApiKey, Tenant

_WITH_RATE_LIMIT = (
    select(ApiKey, Tenant.max_requests_per_minute)
    .join(Tenant, Tenant.id == ApiKey.tenant_id)
    .where(ApiKey.key_id == bindparam("key_id"))
)
"""Made once: every request asks this."""


class TenantRepository:
    """Tenants: system-wide, since it is they who separate everything else."""

    def __init__(self, session: Session) -> None:
        """Work inside the caller's unit of work."""
        self._session = session

    def ids(self) -> list[UUID]:
        """Return the ids of all tenants."""
        return list(self._session.scalars(select(Tenant.id)))

    def add(self, tenant: Tenant) -> bool:
        """Store a new tenant; return whether its name was free."""
        try:
            with self._session.begin_nested():
                self._session.add(tenant)
        except IntegrityError:
            return False
        return True

    def by_id(self, tenant_id: UUID) -> Tenant | None:
        """Find a tenant."""
        return self._session.get(Tenant, tenant_id)

    def newest(self, *, after: tuple[datetime, UUID] | None, limit: int) -> Sequence[Tenant]:
        """Return tenants, newest first."""
        statement = select(Tenant).order_by(Tenant.created_at.desc(), Tenant.id.desc()).limit(limit)
        if after is not None:
            statement = statement.where(tuple_(Tenant.created_at, Tenant.id) < after)
        return self._session.scalars(statement).all()

    def by_name(self, name: str) -> Tenant | None:
        """Find a tenant."""
        return self._session.scalar(select(Tenant).where(Tenant.name == name))


class KeyLookup:
    """Finds a key before its tenant is known: that is what authentication is."""

    def __init__(self, session: Session) -> None:
        """Work inside the caller's unit of work."""
        self._session = session

    def by_key_id(self, key_id: str) -> tuple[ApiKey, int | None] | None:
        """Find a key by its public part.

        Returns:
            The key, and how many requests a minute its tenant may send, where that is its own.
        """
        row = self._session.execute(_WITH_RATE_LIMIT, {"key_id": key_id}).one_or_none()
        return None if row is None else (row[0], row[1])

    def touch(self, key_id: str, *, now: datetime, unless_after: datetime) -> None:
        """Note that a key was used, unless that was noted a moment ago."""
        self._session.execute(
            update(ApiKey)
            .where(
                ApiKey.key_id == key_id,
                or_(ApiKey.last_used_at.is_(None), ApiKey.last_used_at <= unless_after),
            )
            .values(last_used_at=now)
        )


class KeyRepository:
    """The keys of one tenant."""

    def __init__(self, session: Session, tenant_id: UUID) -> None:
        """Work inside the caller's unit of work, for one tenant."""
        self._session = session
        self._tenant_id = tenant_id

    def add(self, key: ApiKey) -> None:
        """Store a new key."""
        self._session.add(key)
        self._session.flush()

    def all(self) -> list[ApiKey]:
        """Return all keys, oldest first."""
        return list(
            self._session.scalars(
                select(ApiKey)
                .where(ApiKey.tenant_id == self._tenant_id)
                .order_by(ApiKey.created_at, ApiKey.id)
            )
        )

    def newest(self, *, after: tuple[datetime, UUID] | None, limit: int) -> Sequence[ApiKey]:
        """Return keys, newest first."""
        statement = (
            select(ApiKey)
            .where(ApiKey.tenant_id == self._tenant_id)
            .order_by(ApiKey.created_at.desc(), ApiKey.id.desc())
            .limit(limit)
        )
        if after is not None:
            statement = statement.where(tuple_(ApiKey.created_at, ApiKey.id) < after)
        return self._session.scalars(statement).all()

    def lock(self, key_id: str) -> ApiKey | None:
        """Find a key, and let nobody change it until this unit of work ends."""
        return self._session.scalar(
            select(ApiKey)
            .where(ApiKey.tenant_id == self._tenant_id, ApiKey.key_id == key_id)
            .with_for_update()
        )

    def revoke(self, key_id: str, now: datetime) -> bool:
        """End a key; one that is revoked already keeps its time."""
        known = ApiKey.tenant_id == self._tenant_id, ApiKey.key_id == key_id
        self._session.execute(
            update(ApiKey).where(*known, ApiKey.revoked_at.is_(None)).values(revoked_at=now)
        )
        return self._session.scalar(select(ApiKey.id).where(*known)) is not None
