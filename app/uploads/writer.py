"""What one request adds to an upload: bytes first, then the row that vouches for them."""

from datetime import datetime
from uuid import UUID

from app.core.disk import require_space
from app.http.context import AppContext
from app.uploads.part_file import PartFile
from app.uploads.schemas import Checksum, ChecksumMismatchError, UploadState
from app.uploads.service import UploadService

_STORED_EVERY_BYTES = 64 * 1024**2
"""What a kill or a power cut can cost a stream without checksums."""
_DECLARED_HASH = "sha256"
"""Key of the metadata by which a client can tell the hash of the whole file."""


class UploadWriter:
    """Takes the bytes of one request. The row's offset only ever covers bytes that are on disk."""

    def __init__(
        self,
        context: AppContext,
        tenant_id: UUID,
        upload: UploadState,
        part: PartFile,
        checksum: Checksum | None,
    ) -> None:
        """Go on where the upload ends; what the file holds beyond was never vouched for."""
        self._context = context
        self._tenant_id = tenant_id
        self._upload = upload
        self._part = part
        self._checksum = checksum
        self.offset = upload.offset
        self.expires_at = upload.expires_at
        self._num_new = 0
        self._digest = context.digests.take(upload.id, self.offset)
        self._stored_digest = None if self._digest is None else self._digest.copy()
        part.cut(self.offset)

    @property
    def num_missing(self) -> int:
        """How many bytes may still come."""
        return self._upload.num_bytes - self.offset - self._num_new

    def write(self, chunk: bytes) -> None:
        """Append bytes.

        Raises:
            NoSpaceError: The volume is full, up to the reserve.
        """
        settings = self._context.settings
        require_space(settings.data_dir, len(chunk), min_free_bytes=settings.min_free_bytes)
        self._part.write(chunk)
        self._num_new += len(chunk)
        if self._digest is not None:
            self._digest.update(chunk)
        if self._checksum is not None:
            self._checksum.update(chunk)
        elif self._num_new >= _STORED_EVERY_BYTES and self.num_missing:
            self._store(None)

    def finish(self) -> None:
        """Keep all that came.

        Raises:
            ChecksumMismatchError: It is not what the client meant; it is dropped.
        """
        if self._checksum is not None and not self._checksum.matches():
            raise ChecksumMismatchError("The bytes do not have the checksum sent with them.")
        self._store(None if self.num_missing else self._checked_hash())

    def keep_what_came(self) -> None:
        """Keep the bytes of a request that was cut off, unless they can no longer be checked."""
        if self._checksum is None and self.num_missing:
            self._store(None)

    def close(self) -> None:
        """Drop what was not kept."""
        self._part.cut(self.offset)
        self._context.digests.keep(self._upload.id, self.offset, self._stored_digest)

    def _checked_hash(self) -> str:
        found = self._part.sha256() if self._digest is None else self._digest.hexdigest()
        declared = self._upload.details.get(_DECLARED_HASH)
        if declared is None or declared.lower() == found:
            return found
        # Nobody knows which bytes are wrong: the client has to begin anew.
        self._num_new, self.offset, self._stored_digest = 0, 0, None
        self.expires_at = self._note(0, None)
        raise ChecksumMismatchError("The file does not have the SHA-256 that was declared for it.")

    def _store(self, sha256: str | None) -> None:
        self._part.sync()
        end = self.offset + self._num_new
        self.expires_at = self._note(end, sha256)
        self.offset, self._num_new = end, 0
        self._stored_digest = None if self._digest is None else self._digest.copy()

    def _note(self, offset: int, sha256: str | None) -> datetime:
        with self._context.tenant_database(self._tenant_id).unit_of_work() as session:
            uploads = UploadService(session, self._tenant_id, self._context.settings)
            return uploads.move(self._upload.id, offset=offset, sha256=sha256)
