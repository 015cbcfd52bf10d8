"""Tenants, keys, sessions, and the question who is calling.

Every administrative act is logged in the transaction that carries it out.
"""

import hashlib
import hmac
import re
import secrets
import string
import zlib
from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from app.accounts.repository import (
    AuditRepository,
    KeyLookup,
    KeyRepository,
    SessionRepository,
    TenantRepository,
)
from app.accounts.schemas import AuditEntryRead, KeyNotActiveError, Principal, Scope
from app.core.clock import utc_now
from app.core.errors import UnauthenticatedError
from app.core.ids import not_found
from app.core.pagination import NUMBER_KEY, Cursors, PageRequest, paginate
from app.core.schemas import Page
from app.models import ApiKey, AuditEntry, Tenant, WebSession

# A key is `la_live_<id>_<secret><checksum>`. The prefix lets secret scanners find a leaked key, the
# checksum refuses a mistyped one without asking the database, the id finds its row. The secret has
# 256 random bits, so that a fast keyed hash is enough: there is nothing to guess.
_ALPHABET = string.digits + string.ascii_uppercase + string.ascii_lowercase
_PREFIX = "la_live"
_NUM_ID, _NUM_SECRET, _NUM_CHECKSUM = 8, 43, 6
_FORMAT = re.compile(
    rf"{_PREFIX}_([0-9A-Za-z]{{{_NUM_ID}}})_[0-9A-Za-z]{{{_NUM_SECRET + _NUM_CHECKSUM}}}", re.ASCII
)


def make_key() -> tuple[str, str]:
    """Return a new key's public id and the whole key."""
    key_id = _random_text(_NUM_ID)
    body = f"{_PREFIX}_{key_id}_{_random_text(_NUM_SECRET)}"
    return key_id, body + _checksum(body)


def find_key_id(key: str) -> str | None:
    """Return the public id of a well-formed key."""
    match = _FORMAT.fullmatch(key)
    if match is None or _checksum(key[:-_NUM_CHECKSUM]) != key[-_NUM_CHECKSUM:]:
        return None
    return match[1]


def hash_key(key: str, pepper: bytes) -> str:
    """Return what is stored of a key."""
    return hmac.new(pepper, key.encode(), hashlib.sha256).hexdigest()


def _random_text(length: int) -> str:
    return "".join(secrets.choice(_ALPHABET) for _ in range(length))


def _checksum(body: str) -> str:
    number, digits = zlib.crc32(body.encode()), ""
    for _ in range(_NUM_CHECKSUM):
        number, digit = divmod(number, len(_ALPHABET))
        digits = _ALPHABET[digit] + digits
    return digits


class AuditLog:
    """Notes the acts of one caller; without a caller, those of the command line."""

    def __init__(self, session: Session, caller: Principal | None) -> None:
        """Work inside the caller's unit of work."""
        self._session = session
        self._key_id = caller.key_id if caller is not None else None

    def note(self, tenant_id: UUID, action: str, target: str, **details: Any) -> None:
        """Append to the log of the tenant concerned; `details` must hold no secret."""
        AuditRepository(self._session, tenant_id).add(
            AuditEntry(
                key_id=self._key_id,
                action=action,
                target=target,
                details=details,
                created_at=utc_now(),
            )
        )


def read_log(session: Session, tenant_id: UUID, page: PageRequest) -> Page[AuditEntryRead]:
    """Return a part of a tenant's log, newest first."""
    cursors = Cursors(NUMBER_KEY, {"list": "audit-log"})
    newest = AuditRepository(session, tenant_id).newest
    rows, cursor = paginate(page, cursors, newest, key=lambda row: row.id)
    return Page(items=[AuditEntryRead.model_validate(row) for row in rows], next_cursor=cursor)


DEFAULT_TENANT = "default"
_TOUCH_EVERY = timedelta(minutes=1)


class AccountService:
    """Administration and authentication inside one unit of work."""

    def __init__(self, session: Session, pepper: bytes, caller: Principal | None = None) -> None:
        """Hash keys with `pepper`; acts are logged as the caller's, else as the command line's."""
        self._session = session
        self._pepper = pepper
        self._log = AuditLog(session, caller)

    def find_default_tenant(self) -> Tenant | None:
        """Return the tenant of a service that has only one, if it was made yet."""
        return self.find_tenant(DEFAULT_TENANT)

    def find_tenant(self, name: str) -> Tenant | None:
        """Return the tenant of this name."""
        return TenantRepository(self._session).by_name(name)

    def ensure_default_tenant(self) -> Tenant:
        """Return the same, made on first use."""
        tenant = self.find_default_tenant()
        if tenant is None:
            # Where another process was first, its row is as good.
            TenantRepository(self._session).add(Tenant(name=DEFAULT_TENANT))
            tenant = self.find_default_tenant()
        if tenant is None:
            raise RuntimeError("the default tenant vanished while it was made")
        return tenant

    def create_key(
        self,
        tenant_id: UUID,
        *,
        name: str,
        scopes: Collection[Scope],
        expires_at: datetime | None = None,
    ) -> tuple[ApiKey, str]:
        """Make a key; its whole text is returned here and kept nowhere."""
        key_id, key = make_key()
        row = ApiKey(
            tenant_id=tenant_id,
            name=name,
            key_id=key_id,
            key_hash=hash_key(key, self._pepper),
            scopes=sorted(scope.value for scope in scopes),
            expires_at=expires_at,
        )
        KeyRepository(self._session, tenant_id).add(row)
        self._log.note(tenant_id, "key.created", key_id, name=name, scopes=row.scopes)
        return row, key

    def rotate_key(self, tenant_id: UUID, key_id: str, overlap: timedelta) -> tuple[ApiKey, str]:
        """Make a key in place of another one, which stays good for a while.

        The new key has the name, the rights and the length of life of the old one.

        Raises:
            NotFoundError: The tenant has no such key.
            KeyNotActiveError: It is revoked or expired.
        """
        old = KeyRepository(self._session, tenant_id).lock(key_id)
        if old is None:
            raise not_found("key")
        now = utc_now()
        if not is_current(old):
            raise KeyNotActiveError("The key is revoked or expired; make a new one.")
        lifetime = old.expires_at - old.created_at if old.expires_at is not None else None
        row, key = self.create_key(
            tenant_id,
            name=old.name,
            scopes=[Scope(scope) for scope in old.scopes],
            expires_at=now + lifetime if lifetime is not None else None,
        )
        end = now + overlap
        old.expires_at = end if old.expires_at is None else min(end, old.expires_at)
        self._session.flush()
        self._log.note(tenant_id, "key.rotated", key_id, new=row.key_id, ends=end.isoformat())
        return row, key

    def list_keys(self, tenant_id: UUID) -> list[ApiKey]:
        """Return a tenant's keys, revoked ones too."""
        return KeyRepository(self._session, tenant_id).all()

    def revoke_key(self, tenant_id: UUID, key_id: str) -> None:
        """End a key at once.

        Raises:
            NotFoundError: The tenant has no such key.
        """
        if not KeyRepository(self._session, tenant_id).revoke(key_id, utc_now()):
            raise not_found("key")
        self._log.note(tenant_id, "key.revoked", key_id)

    def authenticate(self, key: str) -> Principal:
        """Find out who calls.

        Raises:
            UnauthenticatedError: For any reason; the answer does not tell which.
        """
        key_id = find_key_id(key)
        found = KeyLookup(self._session).by_key_id(key_id) if key_id else None
        if found is None or not self._is_valid(found[0], key):
            raise unauthenticated()
        return principal_of(*found)

    def touch(self, principal: Principal) -> None:
        """Note that the caller's key was used."""
        if principal.key_id is not None:
            now = utc_now()
            lookup = KeyLookup(self._session)
            lookup.touch(principal.key_id, now=now, unless_after=now - _TOUCH_EVERY)

    def _is_valid(self, row: ApiKey, key: str) -> bool:
        known = hmac.compare_digest(row.key_hash, hash_key(key, self._pepper))
        return known and is_current(row)


def is_current(row: ApiKey) -> bool:
    """Tell whether a key is neither expired nor revoked."""
    expired = row.expires_at is not None and row.expires_at <= utc_now()
    return not expired and row.revoked_at is None


def principal_of(row: ApiKey, rate_limit: int | None) -> Principal:
    """Describe who calls with a key; `rate_limit` is the tenant's own."""
    return Principal(
        tenant_id=row.tenant_id,
        scopes=frozenset(Scope(scope) for scope in row.scopes),
        key_id=row.key_id,
        last_used_at=row.last_used_at,
        key_name=row.name,
        max_requests_per_minute=rate_limit,
    )


def needs_touch(principal: Principal) -> bool:
    """Tell whether the last use was noted more than a minute ago: a request seldom writes."""
    if principal.key_id is None:
        return False
    return principal.last_used_at is None or principal.last_used_at <= utc_now() - _TOUCH_EVERY


def unauthenticated() -> UnauthenticatedError:
    """Return the one answer for all callers we do not know."""
    return UnauthenticatedError(
        "Send a valid API key as `Authorization: Bearer KEY`.",
        headers={"WWW-Authenticate": "Bearer"},
    )


SESSION_LIFETIME = timedelta(hours=12)
"""A working day; afterwards the key is asked for again."""
_NUM_BYTES = 32


class SessionService:
    """Sessions of browsers, inside one unit of work."""

    def __init__(self, session: Session, pepper: bytes) -> None:
        """Hash tokens with `pepper`: a stolen database opens no session."""
        self._session = session
        self._sessions = SessionRepository(session)
        self._pepper = pepper

    def begin(self, caller: Principal) -> str:
        """Begin a session of who showed a key; return its token, which is kept nowhere else.

        Raises:
            UnauthenticatedError: The caller has no key.
        """
        if caller.key_id is None:
            raise unauthenticated()
        now = utc_now()
        token = secrets.token_urlsafe(_NUM_BYTES)
        self._sessions.remove_expired(now)
        self._sessions.add(
            WebSession(
                tenant_id=caller.tenant_id,
                key_id=caller.key_id,
                token_hash=hash_key(token, self._pepper),
                created_at=now,
                expires_at=now + SESSION_LIFETIME,
            )
        )
        return token

    def identify(self, token: str) -> Principal:
        """Find out who calls.

        Raises:
            UnauthenticatedError: The session is over, or its key is.
        """
        found = self._sessions.find_key(hash_key(token, self._pepper), now=utc_now())
        if found is None or not is_current(found[0]):
            raise unauthenticated()
        return principal_of(*found)

    def sign_out(self, token: str) -> None:
        """End a session; what the browser holds is then worth nothing."""
        self._sessions.remove(hash_key(token, self._pepper))
