"""Tenants, their keys, sessions and usage, the log of administrative acts, and kept replies.

Keys and sessions are looked up before their tenant is known. The log is written and read, never
changed.
"""

import hashlib
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import cast
from uuid import UUID

from sqlalchemy import Table, bindparam, delete, func, or_, select, tuple_, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from app.core.bulk import as_columns, insert_missing
from app.core.clock import utc_now
from app.models import (
    ApiKey,
    AuditEntry,
    Blob,
    Dataset,
    DatasetState,
    IdempotencyKey,
    Job,
    JobAttempt,
    JobState,
    Tenant,
    Upload,
    WebSession,
)
from app.models.visible import IS_KEPT

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


class SessionRepository:
    """Finds a session by the hash of its token: only who holds the token has that."""

    def __init__(self, session: Session) -> None:
        """Work inside the caller's unit of work."""
        self._session = session

    def add(self, row: WebSession) -> None:
        """Store a new session."""
        self._session.add(row)
        self._session.flush()

    def find_key(self, token_hash: str, *, now: datetime) -> tuple[ApiKey, int | None] | None:
        """Return the key behind a session that is not over, and its tenant's own rate limit."""
        row = self._session.execute(
            select(ApiKey, Tenant.max_requests_per_minute)
            .join(WebSession, WebSession.key_id == ApiKey.key_id)
            .join(Tenant, Tenant.id == ApiKey.tenant_id)
            .where(WebSession.token_hash == token_hash, WebSession.expires_at > now)
        ).one_or_none()
        return None if row is None else (row[0], row[1])

    def remove(self, token_hash: str) -> None:
        """End a session."""
        self._session.execute(delete(WebSession).where(WebSession.token_hash == token_hash))

    def remove_expired(self, now: datetime) -> None:
        """Forget the sessions that are over."""
        self._session.execute(delete(WebSession).where(WebSession.expires_at <= now))


class AuditRepository:
    """The log of one tenant."""

    def __init__(self, session: Session, tenant_id: UUID) -> None:
        """Work inside the caller's unit of work, for one tenant."""
        self._session = session
        self._tenant_id = tenant_id

    def add(self, entry: AuditEntry) -> None:
        """Append an entry."""
        entry.tenant_id = self._tenant_id
        self._session.add(entry)
        self._session.flush()

    def newest(self, *, after: int | None, limit: int) -> Sequence[AuditEntry]:
        """Return a part of the log, newest first."""
        statement = (
            select(AuditEntry)
            .where(AuditEntry.tenant_id == self._tenant_id)
            .order_by(AuditEntry.id.desc())
            .limit(limit)
        )
        if after is not None:
            statement = statement.where(AuditEntry.id < after)
        return self._session.scalars(statement).all()


_TRAINING = "train"
"""The stage of an attempt that holds a GPU."""


class UsageRepository:
    """The figures of one tenant."""

    def __init__(self, session: Session, tenant_id: UUID) -> None:
        """Work inside the caller's unit of work, for one tenant."""
        self._session = session
        self._tenant_id = tenant_id

    def tenant(self) -> Tenant:
        """Return the tenant's row."""
        return self._session.get_one(Tenant, self._tenant_id)

    def lock(self) -> None:
        """Let nobody else use up the tenant's quotas until this unit of work ends."""
        self._session.execute(
            select(Tenant.id).where(Tenant.id == self._tenant_id).with_for_update()
        )

    def num_bytes(self) -> int:
        """Return what is stored, what waits to be taken in or shown, and what is on its way in."""
        parts = (
            select(func.sum(Blob.num_bytes)).where(Blob.tenant_id == self._tenant_id),
            select(func.sum(Dataset.upload_bytes)).where(
                Dataset.tenant_id == self._tenant_id, Dataset.state != DatasetState.READY, IS_KEPT
            ),
            select(func.sum(Upload.num_bytes)).where(
                Upload.tenant_id == self._tenant_id, Upload.job_id.is_(None)
            ),
            select(func.sum(Job.input_bytes)).where(
                Job.tenant_id == self._tenant_id, Job.state != JobState.SUCCEEDED
            ),
        )
        return sum(int(self._session.scalar(part) or 0) for part in parts)

    def reserve(self, reservation_id: UUID, num_bytes: int, *, expires_at: datetime) -> None:
        """Announce bytes that come in one request, as a resumable upload announces its own."""
        self._session.add(
            Upload(
                id=reservation_id,
                tenant_id=self._tenant_id,
                num_bytes=num_bytes,
                offset=0,
                details={},
                expires_at=expires_at,
            )
        )

    def release(self, reservation_id: UUID) -> None:
        """Take an announcement back."""
        self._session.execute(
            delete(Upload).where(Upload.id == reservation_id, Upload.tenant_id == self._tenant_id)
        )

    def num_samples(self) -> int:
        """Return the number of samples in all data sets."""
        total = select(func.sum(Dataset.num_samples)).where(
            Dataset.tenant_id == self._tenant_id, IS_KEPT
        )
        return int(self._session.scalar(total) or 0)

    def num_jobs(self) -> Mapping[JobState, int]:
        """Return the number of jobs that wait and that run."""
        rows = self._session.execute(
            select(Job.state, func.count())
            .where(
                Job.tenant_id == self._tenant_id,
                Job.state.in_((JobState.QUEUED, JobState.RUNNING)),
            )
            .group_by(Job.state)
        )
        return {row[0]: row[1] for row in rows}

    def gpu_seconds(self, since: datetime) -> float:
        """Return how long trainings ran that began since then, those under way included."""
        rows = self._session.execute(
            select(JobAttempt.started_at, JobAttempt.seconds).where(
                JobAttempt.tenant_id == self._tenant_id,
                JobAttempt.stage == _TRAINING,
                JobAttempt.started_at >= since,
            )
        )
        now = utc_now()
        return sum(
            (now - started_at).total_seconds() if seconds is None else seconds
            for started_at, seconds in rows
        )


class IdempotencyRepository:
    """Keys of one tenant."""

    def __init__(self, session: Session, tenant_id: UUID) -> None:
        """Work inside the caller's unit of work, for one tenant."""
        self._session = session
        self._tenant_id = tenant_id

    def find(self, key: str) -> IdempotencyKey | None:
        """Return the row of an earlier request."""
        return self._session.get(IdempotencyKey, (self._tenant_id, key))

    def try_lock(self, key: str) -> bool:
        """Keep twins in other processes out until this transaction ends; False if one is at it.

        SQLite has one writer: there, whoever has a write transaction has the key.
        """
        if self._session.get_bind().dialect.name != "postgresql":
            return True
        digest = hashlib.sha256(self._tenant_id.bytes + key.encode()).digest()
        number = int.from_bytes(digest[:8], signed=True)
        return self._session.scalar(select(func.pg_try_advisory_xact_lock(number))) is True

    def reserve(self, key: str, request_hash: str) -> IdempotencyKey:
        """Return the key's row: a new one without a reply, or that of an earlier request."""
        row = {
            "tenant_id": self._tenant_id,
            "key": key,
            "request_hash": request_hash,
            "reply": None,
            "created_at": utc_now(),
        }
        insert_missing(self._session, cast("Table", IdempotencyKey.__table__), as_columns([row]))
        return self._session.get_one(IdempotencyKey, (self._tenant_id, key))

    def fulfil(self, key: str, reply: bytes) -> None:
        """Note what the request was answered with."""
        self._session.execute(
            update(IdempotencyKey)
            .where(IdempotencyKey.tenant_id == self._tenant_id, IdempotencyKey.key == key)
            .values(reply=reply)
        )

    def forget(self, key: str) -> None:
        """Let the key be used again."""
        self._session.execute(
            delete(IdempotencyKey).where(
                IdempotencyKey.tenant_id == self._tenant_id, IdempotencyKey.key == key
            )
        )


def remove_keys_before(session: Session, moment: datetime) -> None:
    """Forget old requests, of all tenants."""
    session.execute(delete(IdempotencyKey).where(IdempotencyKey.created_at < moment))
