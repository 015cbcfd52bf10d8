"""The one interface behind which the kinds of upload look alike."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol, TypeAlias, runtime_checkable

from worker.files.errors import RefusedFileError, RejectCode
from worker.files.limits import ReadMeter
from worker.files.members import FileArchive, Member
from worker.files.names import printable
from worker.ingest.layout import Place


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


@runtime_checkable
class RowArchive(Protocol):
    """Rows of a table or of arrays: each comes with its label, so no name has to tell it."""

    def read(self, member: Member, meter: ReadMeter) -> bytes:
        """Return the image of one row.

        Raises:
            RefusedFileError: The row holds none.
            UploadError: The upload as a whole turns out to be too much.
        """

    def select(self) -> Selection:
        """Return what the rows are."""


Source: TypeAlias = FileArchive | RowArchive


def reject(name: str, error: RefusedFileError) -> Rejection:
    """Note a refused file under a name that can be shown."""
    return Rejection(printable(name), *error.refusal)
