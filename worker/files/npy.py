"""Arrays as files of NumPy: the header is read before anything is allocated for the array."""

import io
import math
import sys
import tokenize
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.lib import format as npy_format
from numpy.typing import NDArray

from worker.files.errors import UnreadableDataError

Array = NDArray[Any]

_MAX_HEADER_BYTES = 10_000
HEAD_BYTES = 12 + _MAX_HEADER_BYTES
"""Magic number, version, length and header. The format allows 4 GB; this much is always enough."""
_READERS = {
    (1, 0): npy_format.read_array_header_1_0,
    (2, 0): npy_format.read_array_header_2_0,
}
_DAMAGE = (
    ValueError,
    TypeError,
    SyntaxError,
    LookupError,
    ArithmeticError,
    RecursionError,
    MemoryError,  # from nesting, in something of at most 10,000 characters
    tokenize.TokenError,
)


@dataclass(frozen=True, slots=True)
class NpyHeader:
    """The header of an array."""

    shape: tuple[int, ...]
    is_fortran: bool
    dtype: np.dtype[Any]
    num_header_bytes: int

    @property
    def num_bytes(self) -> int:
        """Size of header and array, as an integer of Python, which cannot overflow."""
        return self.num_header_bytes + math.prod(self.shape) * self.dtype.itemsize


def read_header(head: bytes, name: str) -> NpyHeader:
    """Read the first `HEAD_BYTES` bytes of an array.

    Raises:
        UnreadableDataError: The header is damaged, or announces Python objects.
    """
    file = io.BytesIO(head)
    try:
        version = npy_format.read_magic(file)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # remarks on files that Python 2 wrote
            shape, is_fortran, dtype = _READERS[version](file, max_header_size=_MAX_HEADER_BYTES)
    except _DAMAGE as error:
        raise UnreadableDataError(f"{name}.npy has no header that can be read") from error
    if dtype.hasobject:
        raise UnreadableDataError(
            f"{name}.npy holds Python objects, which are never loaded; save plain numbers"
        )
    if min(shape, default=0) < 0:
        raise UnreadableDataError(f"{name}.npy has the impossible shape {shape}")
    return NpyHeader(shape, bool(is_fortran), dtype, file.tell())


@dataclass(frozen=True, slots=True)
class ArrayFile:
    """An array in a file of its own; any rows can be read."""

    file: BinaryIO
    header: NpyHeader

    def rows(self, start: int, count: int) -> Array:
        """Return `count` rows from `start` on; the array must have them."""
        shape = self.header.shape[1:]
        row_bytes = math.prod(shape) * self.header.dtype.itemsize
        self.file.seek(self.header.num_header_bytes + start * row_bytes)
        data = self.file.read(count * row_bytes)
        return np.frombuffer(data, self.header.dtype).reshape(count, *shape)


def texts_of(array: Array, name: str) -> list[str]:
    """Return the strings of an array of strings.

    Raises:
        UnreadableDataError: A character is no Unicode; NumPy itself does not check that.
    """
    points = array.view(np.dtype(np.uint32).newbyteorder(array.dtype.byteorder))
    if (points > sys.maxunicode).any():
        raise UnreadableDataError(f"{name} is no Unicode text")
    texts: list[str] = array.tolist()
    return texts


def save_array(file: Path, array: Array) -> None:
    """Write an array such that an error carries the system's number.

    Into a file that is only written to, NumPy writes past Python: its error for a full disk is
    "1000 requested and 24 written", which has no number.
    """
    with file.open("wb+") as target:
        np.save(target, array, allow_pickle=False)
