"""Tenants and their keys."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import or_, select, update
from sqlalchemy.orm import Session

from app.models import ApiKey, Tenant


class TenantRepository:
    """Tenants: system-wide, since it is they who separate everything else."""

    def __init__(self, session: Session) -> None:
        """Work inside the caller's unit of work."""
        self._session = session

    def ids(self) -> list[UUID]:
        """Return the ids of all tenants."""
        return list(self._session.scalars(select(Tenant.id)))

    def by_name(self, name: str) -> Tenant | None:
        """Find a tenant."""
        return self._session.scalar(select(Tenant).where(Tenant.name == name))


class KeyLookup:
    """Finds a key before its tenant is known: that is what authentication is."""

    def __init__(self, session: Session) -> None:
        """Work inside the caller's unit of work."""
        self._session = session

    def by_key_id(self, key_id: str) -> ApiKey | None:
        """Find a key by its public part."""
        return self._session.scalar(select(ApiKey).where(ApiKey.key_id == key_id))

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

    def revoke(self, key_id: str, now: datetime) -> bool:
        """End a key; one that is revoked already keeps its time."""
        known = ApiKey.tenant_id == self._tenant_id, ApiKey.key_id == key_id
        self._session.execute(
            update(ApiKey).where(*known, ApiKey.revoked_at.is_(None)).values(revoked_at=now)
        )
        return self._session.scalar(select(ApiKey.id).where(*known)) is not None
