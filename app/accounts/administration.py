"""Keys and tenants, as administrators see them over HTTP."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from app.accounts.repository import KeyRepository, TenantRepository
from app.accounts.schemas import (
    KeyCreate,
    KeyCreated,
    KeyRead,
    KeyRotate,
    Principal,
    Scope,
    TenantCreate,
    TenantCreated,
    TenantExistsError,
    TenantRead,
)
from app.accounts.service import DEFAULT_TENANT, AccountService, AuditLog
from app.core.errors import ForbiddenError
from app.core.ids import not_found, parse_uuid
from app.core.pagination import CREATED_KEY, Cursors, PageRequest, created_key, paginate
from app.core.schemas import Page
from app.models import Tenant

_FIRST_KEY = "first key"


class KeyAdministration:
    """The keys of the caller's own tenant."""

    def __init__(self, session: Session, pepper: bytes, caller: Principal) -> None:
        """Work inside the caller's unit of work."""
        self._session = session
        self._tenant_id = caller.tenant_id
        self._accounts = AccountService(session, pepper, caller)

    def newest(self, page: PageRequest) -> Page[KeyRead]:
        """List keys, newest first, revoked ones too."""
        cursors = Cursors(CREATED_KEY, {"list": "keys"})
        newest = KeyRepository(self._session, self._tenant_id).newest
        rows, cursor = paginate(page, cursors, newest, key=created_key)
        return Page(items=[KeyRead.of(row) for row in rows], next_cursor=cursor)

    def create(self, wanted: KeyCreate) -> KeyCreated:
        """Make a key."""
        row, key = self._accounts.create_key(
            self._tenant_id, name=wanted.name, scopes=wanted.scopes, expires_at=wanted.expires_at
        )
        return KeyCreated(**KeyRead.values_of(row), key=key)

    def rotate(self, key_id: str, wanted: KeyRotate) -> KeyCreated:
        """Replace a key; the old one stays good for the overlap."""
        overlap = timedelta(seconds=wanted.overlap_seconds)
        row, key = self._accounts.rotate_key(self._tenant_id, key_id, overlap)
        return KeyCreated(**KeyRead.values_of(row), key=key)

    def revoke(self, key_id: str) -> None:
        """End a key at once."""
        self._accounts.revoke_key(self._tenant_id, key_id)


class TenantAdministration:
    """Tenants: those of the default tenant operate the service, others see only their own."""

    def __init__(self, session: Session, pepper: bytes, caller: Principal) -> None:
        """Work inside a unit of work that sees all tenants."""
        self._session = session
        self._caller = caller
        self._pepper = pepper
        self._tenants = TenantRepository(session)
        own = self._tenants.by_id(caller.tenant_id)
        self._operates = own is not None and own.name == DEFAULT_TENANT

    def newest(self, page: PageRequest) -> Page[TenantRead]:
        """List the tenants that the caller may see, newest first."""
        if not self._operates:
            own = self.read(str(self._caller.tenant_id))
            return Page(items=[own], next_cursor=None)
        cursors = Cursors(CREATED_KEY, {"list": "tenants"})
        rows, cursor = paginate(page, cursors, self._tenants.newest, key=created_key)
        return Page(items=[TenantRead.model_validate(row) for row in rows], next_cursor=cursor)

    def read(self, tenant_id: str) -> TenantRead:
        """Describe a tenant."""
        return TenantRead.model_validate(self._find(tenant_id))

    def create(self, wanted: TenantCreate) -> TenantCreated:
        """Make a tenant and its first key.

        Raises:
            ForbiddenError: The caller does not operate the service.
            TenantExistsError: The name is taken.
        """
        self._require_operator()
        tenant = Tenant(**wanted.model_dump())
        if not self._tenants.add(tenant):
            raise TenantExistsError("There is a tenant of this name.")
        self._note(tenant.id, "tenant.created", {"name": tenant.name})
        accounts = AccountService(self._session, self._pepper, self._caller)
        _, key = accounts.create_key(tenant.id, name=_FIRST_KEY, scopes=[*Scope])
        return TenantCreated(**TenantRead.model_validate(tenant).model_dump(), key=key)

    def change(self, tenant_id: str, quotas: Mapping[str, int | None]) -> TenantRead:
        """Give a tenant quotas of its own.

        Raises:
            NotFoundError: There is no such tenant, or the caller may not see it.
            ForbiddenError: The caller does not operate the service.
        """
        tenant = self._find(tenant_id)
        self._require_operator()
        for name, limit in quotas.items():
            setattr(tenant, name, limit)
        self._session.flush()
        self._note(tenant.id, "tenant.changed", dict(quotas))
        return TenantRead.model_validate(tenant)

    def _find(self, tenant_id: str) -> Tenant:
        known_id = parse_uuid(tenant_id, "tenant")
        visible = self._operates or known_id == self._caller.tenant_id
        tenant = self._tenants.by_id(known_id)
        if tenant is None or not visible:
            raise not_found("tenant")
        return tenant

    def _require_operator(self) -> None:
        if not self._operates:
            raise ForbiddenError(f"Only keys of the tenant `{DEFAULT_TENANT}` may do this.")

    def _note(self, tenant_id: UUID, action: str, details: dict[str, Any]) -> None:
        """Write into the logs of both sides."""
        log = AuditLog(self._session, self._caller)
        for concerned in {tenant_id, self._caller.tenant_id}:
            log.note(concerned, action, str(tenant_id), **details)
