"""The cache of decoded images, looked at piece by piece."""

from pathlib import Path

import numpy as np
import numpy.typing as npt


class PixelFile:
    """Rows of a file of uint8 (N, side * side * 3).

    Each look maps the file anew: pages of one mapping would count as memory of this process
    until its end, three kilobytes for each image of 32 x 32.
    """

    def __init__(self, file: Path, side: int) -> None:
        """Look at a file that is complete."""
        self._file = file
        self.row_bytes = side * side * 3
        self._num_rows = file.stat().st_size // self.row_bytes

    def __len__(self) -> int:
        """Return the number of pictures."""
        return self._num_rows

    def __getitem__(self, rows: "slice | npt.NDArray[np.int64]") -> npt.NDArray[np.uint8]:
        """Return a copy of some rows."""
        mapped = np.memmap(self._file, np.uint8, "r", shape=(self._num_rows, self.row_bytes))
        return np.array(mapped[rows])
