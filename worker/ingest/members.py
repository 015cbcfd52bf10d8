"""The one interface behind which the kinds of archive look alike."""

from dataclasses import dataclass
from typing import Protocol

from worker.ingest.errors import Refusal
from worker.ingest.limits import ReadMeter


@dataclass(frozen=True, slots=True)
class Member:
    """One entry of the archive's table of contents that is no folder; nothing is read yet."""

    name: str
    key: int
    """Where the archive finds it again. Grows in archive order."""
    num_bytes: int
    """As the archive claims."""
    refusal: Refusal | None = None
    """Known without reading it."""


class Archive(Protocol):
    """An opened archive whose table of contents has been checked."""

    members: list[Member]

    def read(self, member: Member, meter: ReadMeter) -> bytes:
        """Return the whole content.

        Raises:
            RefusedFileError: This member cannot be had.
            IngestError: The archive as a whole turns out to be too much.
        """
