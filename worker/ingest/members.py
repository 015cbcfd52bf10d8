"""The one interface behind which the kinds of upload look alike."""

from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol, TypeAlias, runtime_checkable

from worker.files.errors import Refusal, RefusedFileError, RejectCode
from worker.files.limits import ReadMeter
from worker.files.names import printable
from worker.ingest.layout import Place


class Member(NamedTuple):
    """One entry of the archive's table of contents that is no folder; nothing is read yet."""

    name: str
    key: int
    """Where the archive finds it again. Grows in archive order."""
    num_bytes: int
    """As the archive claims."""
    refusal: Refusal | None = None
    """Known without reading it."""


@dataclass(frozen=True, slots=True)
class Rejection:
    """One file that becomes no sample."""

    path: str
    code: RejectCode
    detail: str


class Candidate(NamedTuple):
    """A file that is a sample if it is an image."""

    member: Member
    path: str
    place: Place


@dataclass(slots=True)
class Selection:
    """The table of contents, sorted out."""

    warnings: list[str] = field(default_factory=list)
    candidates: Sequence[Candidate] = ()
    """Files in order of path, which does not depend on the packing; rows as they come."""
    num_bytes: int = 0
    """Of all candidates, as the archive claims; not known of rows."""
    rejections: list[Rejection] = field(default_factory=list)
    num_ignored: int = 0
    """Hidden and system files."""


class Archive(Protocol):
    """An opened upload whose table of contents has been checked."""

    def read(self, member: Member, meter: ReadMeter) -> bytes:
        """Return the whole content.

        Raises:
            RefusedFileError: This member cannot be had.
            UploadError: The archive as a whole turns out to be too much.
        """


class FileArchive(Archive, Protocol):
    """An archive of files."""

    @property
    def members(self) -> Iterable[Member]:
        """All that are no folders, in the order of the archive; can be asked for again."""

    def member(self, key: int) -> Member:
        """Return the one of this key."""

    def open(self, member: Member) -> AbstractContextManager[Callable[[int], bytes]]:
        """Give what reads the content of a member of any size, piece by piece."""


@runtime_checkable
class RowArchive(Archive, Protocol):
    """Rows of a table or of arrays: each comes with its label, so no name has to tell it."""

    def select(self) -> Selection:
        """Return what the rows are."""


Source: TypeAlias = FileArchive | RowArchive


def reject(name: str, error: RefusedFileError) -> Rejection:
    """Note a refused file under a name that can be shown."""
    return Rejection(printable(name), *error.refusal)
