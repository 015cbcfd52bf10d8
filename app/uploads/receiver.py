"""The requests that write: they hold the upload's file, and stream into it."""

from contextlib import aclosing
from pathlib import Path

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
from app.uploads.part_file import PartFile
from app.uploads.schemas import Checksum, OffsetMismatchError, UploadState, UploadUsedError
from app.uploads.service import UploadService
from app.uploads.writer import UploadWriter

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
