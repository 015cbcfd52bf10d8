"""The header of an npy array, read before anything is allocated for the array itself."""

import io
import math
import tokenize
import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.lib import format as npy_format

from worker.scores.errors import InvalidScoresError

MAX_HEADER_BYTES = 10_000
NUM_HEAD = 12 + MAX_HEADER_BYTES
"""Magic, version, length and header: reading more, the format allows 4 GB, is never needed."""
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
    """What an array says of itself."""

    shape: tuple[int, ...]
    is_fortran: bool
    dtype: np.dtype[Any]
    num_header_bytes: int

    @property
    def num_bytes(self) -> int:
        """Size of header and array; a number of Python's, so that it cannot overflow."""
        return self.num_header_bytes + math.prod(self.shape) * self.dtype.itemsize


def read_header(head: bytes, name: str) -> NpyHeader:
    """Read the first `NUM_HEAD` bytes of an array.

    Raises:
        InvalidScoresError: They are no header, or that of an array of Python objects.
    """
    file = io.BytesIO(head)
    try:
        version = npy_format.read_magic(file)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # remarks on files that Python 2 wrote
            shape, is_fortran, dtype = _READERS[version](file, max_header_size=MAX_HEADER_BYTES)
    except _DAMAGE as error:
        raise InvalidScoresError(f"{name}.npy has no header that can be read") from error
    if dtype.hasobject:
        raise InvalidScoresError(
            f"{name}.npy holds Python objects, which are never loaded; save plain numbers"
        )
    if min(shape, default=0) < 0:
        raise InvalidScoresError(f"{name}.npy has the impossible shape {shape}")
    return NpyHeader(shape, bool(is_fortran), dtype, file.tell())
