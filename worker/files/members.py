"""The interface that all archives of files share."""

from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from tempfile import TemporaryFile
from typing import BinaryIO, NamedTuple, Protocol, cast

from worker.files.errors import Refusal, RefusedFileError, RejectCode
from worker.files.limits import ReadMeter, SafePoint

CHUNK_BYTES = 1024**2


class Member(NamedTuple):
    """One entry of an archive's table of contents that is no folder; its content is unread."""

    name: str
    key: int
    """Position in the archive, for `FileArchive.member`."""
    num_bytes: int
    """As the archive claims."""
    refusal: Refusal | None = None
    """Known without reading it."""

    def require_readable(self, *, of_any_size: bool = False) -> None:
        """Raise the refusal, if there is one; `of_any_size` overlooks that a file is too large.

        Raises:
            RefusedFileError: The member cannot be read.
        """
        if self.refusal is None:
            return
        if not (of_any_size and self.refusal.code is RejectCode.FILE_TOO_LARGE):
            raise RefusedFileError(*self.refusal)


class FileArchive(Protocol):
    """An opened archive of files whose table of contents has been checked."""

    @property
    def members(self) -> Iterable[Member]:
        """All members but folders, in the order of the archive; can be iterated again."""

    def member(self, key: int) -> Member:
        """Return the member with this key."""

    def read(self, member: Member, meter: ReadMeter) -> bytes:
        """Return the whole content.

        Raises:
            RefusedFileError: The member cannot be read.
            UploadError: The archive unpacks to too much.
        """

    def open(self, member: Member) -> AbstractContextManager[Callable[[int], bytes]]:
        """Open a member of any size; the context gives a function that reads the next bytes."""


class Spool:
    """Temporary files for members that are read in any order; their bytes are counted."""

    def __init__(
        self, stack: ExitStack, folder: Path, meter: ReadMeter, safe_point: SafePoint
    ) -> None:
        """Keep the files below `folder` until `stack` is closed."""
        self._stack = stack
        self._folder = folder
        self._meter = meter
        self.safe_point = safe_point

    def fill(self, read: Callable[[int], bytes]) -> BinaryIO:
        """Copy everything that `read` returns into a temporary file.

        Raises:
            UploadError: The limit is exceeded.
        """
        file = cast("BinaryIO", TemporaryFile(dir=self._folder))  # noqa: SIM115 - the stack closes it
        self._stack.callback(file.close)
        while chunk := read(CHUNK_BYTES):
            self.safe_point()
            self._meter.add(len(chunk))
            file.write(chunk)
        file.seek(0)
        return file
