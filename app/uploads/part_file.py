"""The file of a resumable upload: one writer at a time, over all processes."""

import fcntl
import hashlib
import os
from pathlib import Path
from typing import Self

from app.uploads.schemas import UploadExpiredError, UploadLockedError


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
