"""Who calls, what they may do, what administrators read and send, and what can go wrong."""

from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Any
from uuid import UUID

from pydantic import AfterValidator, AwareDatetime, Field

from app.core.errors import AppError, ForbiddenError
from app.core.schemas import InputModel, ReadableText, ReadModel
from app.models import ApiKey


class QuotaExceededError(AppError):
    """The tenant would use more than it may; `quota` says of what."""

    status = 429
    code = "quota_exceeded"
    title = "Quota exceeded"


class KeyNotActiveError(AppError):
    """A key that is revoked or expired cannot be rotated."""

    status = 409
    code = "key_not_active"
    title = "Key not active"


class TenantExistsError(AppError):
    """Names of tenants are unique."""

    status = 409
    code = "tenant_exists"
    title = "Tenant exists"


_MAX_OVERLAP_SECONDS = 30 * 24 * 3600
_DAY_SECONDS = 24 * 3600
Name = Annotated[ReadableText, Field(min_length=1, max_length=100)]
Limit = Annotated[int | None, Field(strict=True, ge=0, lt=2**63)]


class Scope(StrEnum):
    """A right that a key carries; none implies another."""

    READ = "read"
    REVIEW = "review"
    WRITE = "write"
    TRAIN = "train"
    ADMIN = "admin"


@dataclass(frozen=True, slots=True)
class Principal:
    """The caller of one request."""

    tenant_id: UUID
    scopes: frozenset[Scope]
    key_id: str | None
    """The public part of the key; none where the service runs without keys."""
    last_used_at: datetime | None = None
    """When the key's use was last noted."""
    key_name: str | None = None
    """What the key was called when it was made."""
    max_requests_per_minute: int | None = None
    """The tenant's own limit, where it has one."""

    def require(self, *scopes: Scope) -> None:
        """Go on only with all of these rights.

        Raises:
            ForbiddenError: One is missing.
        """
        missing = [scope.value for scope in scopes if scope not in self.scopes]
        if missing:
            raise ForbiddenError(f"The key lacks the scope {', '.join(missing)}.", missing=missing)


def _in_utc(moment: datetime) -> datetime:
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        raise ValueError("the moment must lie in the years 1 to 9999 of UTC") from None


class KeyCreate(InputModel):
    """A key that is wanted."""

    name: Name
    scopes: Annotated[frozenset[Scope], Field(min_length=1)]
    expires_at: Annotated[AwareDatetime, AfterValidator(_in_utc)] | None = None


class KeyRotate(InputModel):
    """How a key is to be replaced."""

    overlap_seconds: Annotated[int, Field(strict=True, ge=0, le=_MAX_OVERLAP_SECONDS)] = (
        _DAY_SECONDS
    )
    """How long the old key stays good."""


class KeyRead(ReadModel):
    """A key without its secret."""

    id: str
    name: str
    scopes: list[Scope]
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None
    """To the minute."""
    revoked_at: datetime | None

    @classmethod
    def values_of(cls, row: ApiKey) -> dict[str, Any]:
        """Return the fields of a row's description."""
        return {name: getattr(row, name) for name in KeyRead.model_fields} | {"id": row.key_id}

    @classmethod
    def of(cls, row: ApiKey) -> "KeyRead":
        """Describe a row."""
        return KeyRead(**cls.values_of(row))


class KeyCreated(KeyRead):
    """A new key: the only time that it is shown whole."""

    key: str


class TenantQuotas(InputModel):
    """Quotas of a tenant's own; where null, the service's hold."""

    max_bytes: Limit = None
    max_samples: Limit = None
    max_queued_jobs: Limit = None
    max_running_jobs: Limit = None
    max_gpu_minutes: Limit = None
    """In a calendar month, UTC."""
    max_requests_per_minute: Annotated[int | None, Field(strict=True, ge=1, lt=2**31)] = None


class TenantCreate(TenantQuotas):
    """A tenant that is wanted."""

    name: Name


class TenantRead(ReadModel):
    """A tenant and the quotas of its own."""

    id: UUID
    name: str
    created_at: datetime
    max_bytes: int | None
    max_samples: int | None
    max_queued_jobs: int | None
    max_running_jobs: int | None
    max_gpu_minutes: int | None
    max_requests_per_minute: int | None


class TenantCreated(TenantRead):
    """A new tenant with its first key, which has all rights and is shown only now."""

    key: str


class QuotaRead(ReadModel):
    """One quota: how much may be used, and how much is."""

    name: str
    limit: int | None
    """Null where there is none."""
    used: float | None
    """Null where it is not counted up, as for requests."""


class UsageRead(ReadModel):
    """What a tenant uses."""

    period_start: datetime
    """Since when GPU minutes are counted."""
    quotas: list[QuotaRead]


class AuditEntryRead(ReadModel):
    """One administrative act."""

    id: int
    created_at: datetime
    key_id: str | None
    """The key that did it; null for the command line."""
    action: str
    target: str
    details: dict[str, Any]
