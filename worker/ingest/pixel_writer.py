"""Writing the cache of decoded images; what the search for copies needs is computed on the way."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from worker.files.limits import SafePoint
from worker.ingest.near_duplicates import Hasher, near_pairs
from worker.ingest.pixel_file import PixelFile

_BUFFER_BYTES = 1024**2


class PixelWriter:
    """Appends rows of RGB pixels, each `side * side * 3` bytes."""

    def __init__(self, path: Path, file: BinaryIO, side: int) -> None:
        """Write into `file`, opened at `path`."""
        self._path = path
        self._file = file
        self._side = side
        self._hasher = Hasher(side)

    def write(self, pixels: bytes) -> None:
        """Append a row, or many."""
        self._file.write(pixels)
        self._hasher.add(pixels)

    def near_pairs(self, safe_point: SafePoint) -> list[tuple[int, int]]:
        """Return the rows that show the same picture, when all are in the file."""
        hashes = self._hasher.hashes()
        if not len(hashes):
            return []
        rows = PixelFile(self._path, self._side)
        pairs: list[tuple[int, int]] = near_pairs(hashes, rows, self._side, safe_point).tolist()
        return pairs


@contextmanager
def writing_pixels(path: Path, side: int) -> Iterator[PixelWriter]:
    """Make the file; it is whole when the block ends."""
    with path.open("wb", buffering=_BUFFER_BYTES) as file:
        yield PixelWriter(path, file, side)
