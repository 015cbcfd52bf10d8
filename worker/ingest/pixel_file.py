"""The cache of decoded images, looked at piece by piece."""

import os
from pathlib import Path

import numpy as np
import numpy.typing as npt


class PixelFile:
    """Rows of a file of uint8 (N, side * side * 3).

    They are read, not mapped: of a mapping, the neighbours of every page that is looked at count as
    memory of this process too.
    """

    def __init__(self, file: Path, side: int) -> None:
        """Look at a file that is complete."""
        self._descriptor = -1
        self._descriptor = os.open(file, os.O_RDONLY)
        self.row_bytes = side * side * 3
        self._num_rows = file.stat().st_size // self.row_bytes

    def __del__(self) -> None:
        """Close the file, if it could be opened."""
        if self._descriptor >= 0:
            os.close(self._descriptor)

    def __len__(self) -> int:
        """Return the number of pictures."""
        return self._num_rows

    def __getitem__(self, rows: "slice | npt.NDArray[np.int64]") -> npt.NDArray[np.uint8]:
        """Return a copy of some rows that follow each other, or of any."""
        if isinstance(rows, slice):
            start, stop, _ = rows.indices(self._num_rows)
            return self._as_rows(self._read(start, stop - start))
        return self._as_rows(b"".join(self._read(row, 1) for row in rows.tolist()))

    def _read(self, start: int, num_rows: int) -> bytes:
        return os.pread(self._descriptor, num_rows * self.row_bytes, start * self.row_bytes)

    def _as_rows(self, data: bytes) -> npt.NDArray[np.uint8]:
        return np.frombuffer(data, np.uint8).reshape(-1, self.row_bytes)
