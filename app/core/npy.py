"""Single records of a stored `.npy` file, without reading the others.

The format: https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html. Only what our
workers write is understood: one axis of records, in C order, of the types below.
"""

import ast
import struct
from typing import Any

from app.core.blobs import Blobs

Record = dict[str, tuple[Any, ...]]
"""The numbers of each field."""
_HEAD_BYTES = 4096
_VERSIONS = {b"\x93NUMPY\x01\x00": struct.Struct("<H"), b"\x93NUMPY\x02\x00": struct.Struct("<I")}
"""How the length of the header is written, by what a file begins with."""
_VERSION_BYTES = 8
_CODES = {"<f2": "e", "<i4": "i"}


class NpyRecords:
    """The records of one stored file."""

    def __init__(self, blobs: Blobs, sha256: str) -> None:
        """Read the header.

        Raises:
            ValueError: It is no such file.
            StoreUnavailableError: The store does not answer.
        """
        self._blobs, self._sha256 = blobs, sha256
        head = b"".join(blobs.read(sha256, 0, min(_HEAD_BYTES, blobs.num_bytes(sha256))))
        length = _VERSIONS.get(head[:_VERSION_BYTES])
        if length is None:
            raise ValueError(f"{sha256} is no file of records")
        header_at = _VERSION_BYTES + length.size
        self._start = header_at + length.unpack_from(head, _VERSION_BYTES)[0]
        header = ast.literal_eval(head[header_at : self._start].decode("latin1").strip())
        (self._num_records,) = header["shape"]
        self._counts = {name: _count(shape) for name, _, *shape in header["descr"]}
        codes = (f"{self._counts[name]}{_CODES[code]}" for name, code, *_ in header["descr"])
        self._layout = struct.Struct("<" + "".join(codes))

    def read(self, number: int) -> Record | None:
        """Return one record, or None where the file is shorter.

        Raises:
            StoreUnavailableError: The store does not answer.
        """
        if not 0 <= number < self._num_records:
            return None
        start = self._start + number * self._layout.size
        data = b"".join(self._blobs.read(self._sha256, start, start + self._layout.size))
        values = iter(self._layout.unpack(data))
        return {
            name: tuple(next(values) for _ in range(count)) for name, count in self._counts.items()
        }


def _count(shape: list[tuple[int]]) -> int:
    """Return how many numbers a field holds: the format leaves out the shape of a single one."""
    return shape[0][0] if shape else 1
