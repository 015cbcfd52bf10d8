"""A zip of stored members: images do not get smaller by compressing.

Times and modes are fixed and members stand in the order in which they came, so that the same
content is the same file.
"""

import shutil
import zipfile
from pathlib import Path
from types import TracebackType
from typing import Self

_CHUNK_BYTES = 1024**2
_FIRST_DATE = (1980, 1, 1, 0, 0, 0)
"""The earliest that a zip can have."""
_UNIX = 3
_READABLE_FILE = 0o100644 << 16


class ZipWriter:
    """Use it in a `with` block; the archive is complete after it."""

    def __init__(self, target: Path) -> None:
        """Write to `target`."""
        self._zip = zipfile.ZipFile(target, "w")

    def add(self, name: str, data: bytes) -> None:
        """Add a member."""
        self._zip.writestr(_entry(name), data)

    def add_file(self, name: str, source: Path) -> None:
        """Add a member of any size."""
        entry = _entry(name)
        entry.file_size = source.stat().st_size  # decides between the two kinds of header
        with source.open("rb") as file, self._zip.open(entry, "w") as member:
            shutil.copyfileobj(file, member, _CHUNK_BYTES)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        error_type: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._zip.close()


def _entry(name: str) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(name, _FIRST_DATE)
    entry.create_system, entry.external_attr = _UNIX, _READABLE_FILE
    return entry
