from collections.abc import Mapping
from datetime import datetime, timedelta
from uuid import UUID, uuid4

from sqlalchemy.orm import Session

from app.accounts.quotas import Quotas
from app.core.clock import utc_now
from app.core.errors import PayloadTooLargeError
from app.core.ids import not_found, parse_uuid
from app.core.settings import Settings
from app.models import Upload
from app.uploads.repository import UploadRepository
from app.uploads.schemas import UploadExpiredError, UploadIncompleteError


class UploadService:
    """Resumable uploads of one tenant, inside one unit of work."""

    def __init__(self, session: Session, tenant_id: UUID, settings: Settings) -> None:
        """Work for one tenant."""
        self._tenant_id = tenant_id
        self._settings = settings
        self._uploads = UploadRepository(session, tenant_id)
        self._quotas = Quotas(session, tenant_id, settings)

    def create(self, num_bytes: int, details: Mapping[str, str]) -> Upload:
        """Register an upload of which nothing is there yet.

        Raises:
            PayloadTooLargeError: It is larger than any upload may be.
            QuotaExceededError: The tenant has too much already.
        """
        max_bytes = self._settings.max_upload_bytes
        if num_bytes > max_bytes:
            raise PayloadTooLargeError(
                f"An upload may have {max_bytes} bytes.", max_bytes=max_bytes
            )
        self._quotas.require_bytes(num_bytes)
        upload = Upload(
            id=uuid4(),
            tenant_id=self._tenant_id,
            num_bytes=num_bytes,
            offset=0,
            details=dict(details),
            expires_at=self._new_end(),
        )
        self._uploads.add(upload)
        return upload

    def find(self, upload_id: str, *, for_update: bool = False) -> Upload:
        """Return a row.

        Raises:
            NotFoundError: The tenant has no such upload.
            UploadExpiredError: Its time is over.
        """
        upload = self._uploads.get(parse_uuid(upload_id, "upload"), for_update=for_update)
        if upload is None:
            raise not_found("upload")
        if upload.expires_at < utc_now():
            raise UploadExpiredError("The upload was not gone on with in time; start a new one.")
        return upload

    def find_whole(self, upload_id: str) -> Upload:
        """Return the row of an upload that can become a data set; nobody else gets it meanwhile.

        Raises:
            NotFoundError: The tenant has no such upload.
            UploadExpiredError: Its time is over.
            UploadIncompleteError: Bytes are missing.
        """
        upload = self.find(upload_id, for_update=True)
        if upload.sha256 is None:
            raise UploadIncompleteError(
                f"{upload.offset} of {upload.num_bytes} bytes are here.", offset=upload.offset
            )
        return upload

    def move(self, upload_id: UUID, *, offset: int, sha256: str | None = None) -> datetime:
        """Note how far an upload is; return until when it now waits.

        Raises:
            NotFoundError: It was removed meanwhile.
        """
        expires_at = self._new_end()
        moved = self._uploads.move(upload_id, offset=offset, sha256=sha256, expires_at=expires_at)
        if not moved:
            raise not_found("upload")
        return expires_at

    def remove(self, upload_id: UUID) -> None:
        """Delete a row."""
        self._uploads.remove(upload_id)

    def _new_end(self) -> datetime:
        return utc_now() + timedelta(seconds=self._settings.upload_expires_seconds)
