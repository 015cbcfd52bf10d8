"""An upload on its way in: a private file on the data volume, hashed while it is written.

Its first bytes tell what it is, before anything else reads it.
"""

import hashlib
import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

from app.core.disk import require_space
from app.core.durable import publish_file
from app.core.storage import DataFolder
from app.datasets.schemas import EmptyUploadError, UnknownArchiveError, UnknownScoresError

_ZIP = (b"PK\x03\x04", b"PK\x05\x06")
_GZIP, _ZSTD = b"\x1f\x8b", b"\x28\xb5\x2f\xfd"
_PARQUET = b"PAR1"
_TAR_OFFSET, _TAR = 257, b"ustar"
NUM_HEAD = _TAR_OFFSET + len(_TAR)
"""Bytes that these checks look at; a shorter head is that of a shorter file."""


def require_archive(head: bytes) -> None:
    """Let a zip (also as npz), tar, tar.gz, tar.zst or Parquet file pass.

    Raises:
        UnknownArchiveError: It is none of these.
    """
    is_tar = head[_TAR_OFFSET:].startswith(_TAR)
    if not (is_tar or head.startswith((*_ZIP, _GZIP, _ZSTD, _PARQUET))):
        raise UnknownArchiveError(
            "The file is no zip, tar (.tar, .tar.gz, .tar.zst), npz or Parquet."
        )


def require_scores(head: bytes) -> None:
    """Let an npz, which is a zip, or a Parquet file pass.

    Raises:
        UnknownScoresError: It is neither.
    """
    if not head.startswith((*_ZIP, _PARQUET)):
        raise UnknownScoresError("The file is neither an npz (numpy.savez) nor a Parquet file.")


CheckHead = Callable[[bytes], None]
"""Raises an error for the user where a file's first bytes are not of a kind that is wanted."""


@dataclass(frozen=True, slots=True)
class StoredUpload:
    """A whole upload, as its data set remembers it."""

    file_name: str
    sha256: str
    num_bytes: int


class IncomingFile:
    """Takes bytes until it is published or discarded."""

    def __init__(
        self,
        folder: DataFolder,
        *,
        min_free_bytes: int,
        expected_bytes: int,
        cover: Callable[[int], None],
        check_head: CheckHead = require_archive,
    ) -> None:
        """Create the file; `check_head` sees its first bytes as soon as they are there.

        Before bytes are written, `cover` is told how many there will be, and may refuse them.

        Raises:
            NoSpaceError: `expected_bytes` would leave less than `min_free_bytes`.
        """
        self._folder = folder.incoming
        self._min_free_bytes = min_free_bytes
        self._check_head = check_head
        self._cover = cover
        self._check_space(expected_bytes)
        self._path = self._folder / f"{uuid4().hex}.part"
        self._file = self._path.open("xb")
        self._sha256 = hashlib.sha256()
        self._head = b""
        self._num_bytes = 0

    def write(self, chunk: memoryview) -> None:
        """Append bytes.

        Raises:
            NoSpaceError: The volume is full, up to the reserve.
            AppError: The first bytes are of no kind that is wanted.
        """
        if len(self._head) < NUM_HEAD:
            self._head += bytes(chunk[: NUM_HEAD - len(self._head)])
            if len(self._head) == NUM_HEAD:
                self._check_head(self._head)
        self._cover(self._num_bytes + len(chunk))
        self._check_space(len(chunk))
        self._file.write(chunk)
        self._sha256.update(chunk)
        self._num_bytes += len(chunk)

    def finish(self, file_name: str) -> StoredUpload:
        """Close the file, with all its bytes on disk.

        Raises:
            EmptyUploadError: There were no bytes.
            AppError: They are of no kind that is wanted.
        """
        if self._num_bytes == 0:
            raise EmptyUploadError("The file is empty.")
        self._check_head(self._head)
        # Synced here, where nobody waits: `publish` runs inside a write transaction.
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        return StoredUpload(file_name, self._sha256.hexdigest(), self._num_bytes)

    def publish(self, target: Path) -> None:
        """Give the finished file its name, durably."""
        publish_file(self._path, target)

    def discard(self) -> None:
        """Remove the file, unless it was published."""
        with suppress(OSError):  # a full disk: the unwritten rest is to go anyway
            self._file.close()
        self._path.unlink(missing_ok=True)

    def _check_space(self, num_bytes: int) -> None:
        require_space(self._folder, num_bytes, min_free_bytes=self._min_free_bytes)
