"""Receive the bytes of resumable uploads.

A request locks the file of its upload (one writer at a time, over all processes), writes the bytes
to disk, and then updates the row that vouches for them.
"""

import fcntl
import hashlib
import os
from contextlib import aclosing
from datetime import datetime
from pathlib import Path
from typing import Self
from uuid import UUID

import anyio
from anyio import to_thread
from fastapi import Request
from sqlalchemy.orm import Session
from starlette.datastructures import Headers

from app.accounts.auth import Writer
from app.core.disk import require_space
from app.core.errors import InvalidRequestError, NotFoundError
from app.core.ids import parse_uuid
from app.http.bodies import announced_bytes, body_batches
from app.http.context import AppContext
from app.http.deps import ContextDep
from app.http.errors import TruncatedUploadError, UnsupportedMediaTypeError
from app.uploads.schemas import (
    Checksum,
    ChecksumMismatchError,
    OffsetMismatchError,
    UploadExpiredError,
    UploadLockedError,
    UploadState,
    UploadUsedError,
)
from app.uploads.service import UploadService


class PartFile:
    """An open file that nobody else writes to; use it in a `with` block, or close it."""

    def __init__(self, path: Path) -> None:
        """Open the file, made where it is missing.

        Raises:
            UploadLockedError: Another request has it.
        """
        self._path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        self._file = os.fdopen(descriptor, "r+b", buffering=0)
        try:
            # The system ends the lock with the process that holds it, whatever ends that.
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            self._file.close()
            raise UploadLockedError("Another request is writing to this upload.") from error

    def cut(self, offset: int) -> None:
        """Drop what lies beyond `offset` and go on writing there.

        Raises:
            UploadExpiredError: Not even the bytes before it are there.
        """
        if os.fstat(self._file.fileno()).st_size < offset:
            raise UploadExpiredError("The stored bytes were lost; start a new upload.")
        self._file.truncate(offset)
        self._file.seek(offset)

    def write(self, chunk: bytes) -> None:
        """Append bytes."""
        rest = memoryview(chunk)
        while rest:
            rest = rest[self._file.write(rest) :]

    def sync(self) -> None:
        """Wait until all bytes are on disk."""
        os.fsync(self._file.fileno())

    def sha256(self) -> str:
        """Read the whole file once and return its hash."""
        self._file.seek(0)
        return hashlib.file_digest(self._file, "sha256").hexdigest()

    def remove(self) -> None:
        """Delete the file."""
        self._path.unlink(missing_ok=True)

    def close(self) -> None:
        """Let others have it."""
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()


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


CHUNK_TYPE = "application/offset+octet-stream"


class UploadReceiver:
    """Serves one request that changes an upload."""

    def __init__(self, request: Request, caller: Writer, context: ContextDep) -> None:
        """Serve one request."""
        self._request = request
        self._caller = caller
        self._context: AppContext = context

    async def append(self, upload_id: str, offset: int) -> UploadWriter:
        """Stream the body to the end of the upload; return how far that came."""
        part, writer = await to_thread.run_sync(self._open, upload_id, offset)
        with part:
            try:
                await self._take_body(writer)
            finally:
                # Shielded: bytes that are not vouched for must not stay.
                with anyio.CancelScope(shield=True):
                    await to_thread.run_sync(writer.close)
        return writer

    def remove(self, upload_id: str) -> None:
        """Delete an upload and its bytes.

        Raises:
            UploadLockedError: Another request is writing to it.
        """
        self._read(upload_id)
        with PartFile(self._path(upload_id)) as part:
            with self._context.tenant_database(self._caller.tenant_id).unit_of_work() as session:
                self._service(session).remove(parse_uuid(upload_id, "upload"))
            part.remove()

    async def _take_body(self, writer: UploadWriter) -> None:
        batches = body_batches(self._request, max_bytes=writer.num_missing)
        try:
            async with aclosing(batches):
                async for batch in batches:
                    await to_thread.run_sync(writer.write, batch)
        except TruncatedUploadError:
            await to_thread.run_sync(writer.keep_what_came)
            raise
        await to_thread.run_sync(writer.finish)

    def _open(self, upload_id: str, offset: int) -> tuple[PartFile, UploadWriter]:
        """Take hold of the file, then of the row: so nobody moves it between."""
        headers = self._request.headers
        if headers.get("content-type") != CHUNK_TYPE:
            raise UnsupportedMediaTypeError(f"Send the bytes as {CHUNK_TYPE}.")
        checksum = _checksum(headers)
        self._read(upload_id)
        part = PartFile(self._path(upload_id))
        try:
            return part, self._writer(part, self._read_again(upload_id, part), offset, checksum)
        except BaseException:
            part.close()
            raise

    def _writer(
        self, part: PartFile, upload: UploadState, offset: int, checksum: Checksum | None
    ) -> UploadWriter:
        if offset != upload.offset:
            raise OffsetMismatchError(
                f"The upload goes on at byte {upload.offset}, not at {offset}.",
                headers={"Upload-Offset": str(upload.offset)},
                offset=upload.offset,
            )
        missing = upload.num_bytes - upload.offset
        expected = announced_bytes(self._request, max_bytes=missing)
        settings = self._context.settings
        require_space(settings.data_dir, expected, min_free_bytes=settings.min_free_bytes)
        return UploadWriter(self._context, self._caller.tenant_id, upload, part, checksum)

    def _read_again(self, upload_id: str, part: PartFile) -> UploadState:
        try:
            return self._read(upload_id)
        except NotFoundError:
            part.remove()  # its upload was deleted while we opened it
            raise

    def _read(self, upload_id: str) -> UploadState:
        with self._context.tenant_database(self._caller.tenant_id).read() as session:
            upload = self._service(session).find(upload_id)
            if upload.job_id is not None:
                raise UploadUsedError("The upload has become a data set.")
            return UploadState.of(upload)

    def _service(self, session: Session) -> UploadService:
        return UploadService(session, self._caller.tenant_id, self._context.settings)

    def _path(self, upload_id: str) -> Path:
        return self._context.folder.part(parse_uuid(upload_id, "upload"))


def _checksum(headers: Headers) -> Checksum | None:
    value = headers.get("upload-checksum")
    if value is None:
        return None
    if not value.isascii():
        raise InvalidRequestError("Upload-Checksum is not base64.")
    return Checksum(value)
