"""Resumable uploads."""

from collections.abc import Collection
from datetime import datetime
from uuid import UUID

from sqlalchemy import CursorResult, delete, select, update
from sqlalchemy.orm import Session

from app.models import Upload


class UploadRepository:
    """The uploads of one tenant."""

    def __init__(self, session: Session, tenant_id: UUID) -> None:
        """Work inside the caller's unit of work, for one tenant."""
        self._session = session
        self._tenant_id = tenant_id

    def add(self, upload: Upload) -> None:
        """Store a new upload."""
        self._session.add(upload)
        self._session.flush()

    def get(self, upload_id: UUID, *, for_update: bool = False) -> Upload | None:
        """Find an upload; `for_update` lets nobody else change it until this unit of work ends."""
        statement = select(Upload).where(
            Upload.id == upload_id, Upload.tenant_id == self._tenant_id
        )
        return self._session.scalar(statement.with_for_update() if for_update else statement)

    def move(
        self, upload_id: UUID, *, offset: int, sha256: str | None, expires_at: datetime
    ) -> bool:
        """Note how far an upload is; return whether it is still there."""
        result = self._session.execute(
            update(Upload)
            .where(Upload.id == upload_id, Upload.tenant_id == self._tenant_id)
            .values(offset=offset, sha256=sha256, expires_at=expires_at)
        )
        return isinstance(result, CursorResult) and result.rowcount == 1

    def remove(self, upload_id: UUID) -> None:
        """Delete an upload's row."""
        self._session.execute(
            delete(Upload).where(Upload.id == upload_id, Upload.tenant_id == self._tenant_id)
        )


class UploadSweep:
    """What is over, of all tenants: for the sweeper."""

    def __init__(self, session: Session) -> None:
        """Work inside the caller's unit of work."""
        self._session = session

    def remove_expired(self, now: datetime) -> Collection[UUID]:
        """Delete the uploads whose time is over; return their ids."""
        expired = self._session.scalars(select(Upload.id).where(Upload.expires_at < now)).all()
        self._session.execute(delete(Upload).where(Upload.id.in_(expired)))
        return expired

    def waiting(self, upload_ids: Collection[UUID]) -> set[UUID]:
        """Return those that exist and are no data set yet: their files are needed."""
        return set(
            self._session.scalars(
                select(Upload.id).where(Upload.id.in_(upload_ids), Upload.job_id.is_(None))
            )
        )
