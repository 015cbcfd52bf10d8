"""An npz: an archive of npy arrays. Each header is compared with the size of its member."""

import math
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Literal

import numpy as np

from worker.files.errors import RefusedFileError, UnreadableDataError
from worker.files.members import CHUNK_BYTES, FileArchive, Member, Spool
from worker.files.names import listed, printable
from worker.files.npy import HEAD_BYTES, Array, ArrayFile, NpyHeader, read_header


class Npz:
    """The arrays of an archive; an array is unpacked only on request."""

    def __init__(self, files: FileArchive) -> None:
        """Look at the names.

        Raises:
            UnreadableDataError: Two arrays have the same one.
        """
        self._files = files
        members = [(printable(m.name.removesuffix(".npy")), m) for m in files.members]
        twice = [name for name, count in Counter(name for name, _ in members).items() if count > 1]
        if twice:
            raise UnreadableDataError(f"the npz has more than one array of a name: {listed(twice)}")
        self._members: dict[str, Member] = dict(members)

    @property
    def names(self) -> list[str]:
        """Names of all arrays, as they stand in the archive."""
        return list(self._members)

    def header(self, name: str) -> NpyHeader:
        """Return the header of an array.

        Raises:
            UnreadableDataError: There is no such array, or its header does not fit its size.
        """
        with self._opened(name) as read:
            return self._checked_header(read(HEAD_BYTES), name)

    def blocks(self, name: str, rows_at_once: int) -> Iterator[Array]:
        """Yield an array in blocks of rows; an array in Fortran order is unpacked whole first.

        Raises:
            UnreadableDataError: It is damaged.
        """
        header = self.header(name)
        num_rows, row_shape = header.shape[0], header.shape[1:]
        with self._opened(name) as read:
            read(header.num_header_bytes)
            if header.is_fortran:
                whole = _read_array(read, header.shape, header.dtype, order="F")
                for start in range(0, num_rows, rows_at_once):
                    yield whole[start : start + rows_at_once]
            else:
                for start in range(0, num_rows, rows_at_once):
                    shape = (min(rows_at_once, num_rows - start), *row_shape)
                    yield _read_array(read, shape, header.dtype, order="C")

    def unpack(self, name: str, spool: Spool) -> ArrayFile:
        """Unpack an array to a temporary file, of which any row can be read.

        Raises:
            UnreadableDataError: The array is damaged, or stored in Fortran order.
        """
        header = self.header(name)
        if header.is_fortran and len(header.shape) > 1:
            raise UnreadableDataError(
                f"'{name}' is stored in Fortran order; save np.ascontiguousarray of it"
            )
        with self._opened(name) as read:
            return ArrayFile(spool.fill(read), header)

    def _checked_header(self, head: bytes, name: str) -> NpyHeader:
        header, num_bytes = read_header(head, name), self._members[name].num_bytes
        if header.num_bytes != num_bytes:
            raise UnreadableDataError(
                f"the header of {name}.npy announces {header.num_bytes:,} bytes, but it has "
                f"{num_bytes:,}"
            )
        return header

    @contextmanager
    def _opened(self, name: str) -> Iterator[Callable[[int], bytes]]:
        if name not in self._members:
            found = listed(self.names) or "none"
            raise UnreadableDataError(f"there is no array {name}; found: {found}")
        try:
            with self._files.open(self._members[name]) as read:
                yield read
        except RefusedFileError as error:
            detail = error.refusal.detail.removesuffix(".")
            raise UnreadableDataError(f"{name}.npy: {detail}") from error


def _read_array(
    read: Callable[[int], bytes],
    shape: tuple[int, ...],
    dtype: np.dtype[Any],
    *,
    order: Literal["C", "F"],
) -> Array:
    """Read the next bytes into an array of this shape."""
    flat = np.empty(math.prod(shape), dtype=dtype)
    view = flat.view(np.uint8).data
    num_done = 0
    while num_done < len(view):
        piece = read(min(CHUNK_BYTES, len(view) - num_done))
        if not piece:
            raise UnreadableDataError("an array ends too early")
        view[num_done : num_done + len(piece)] = piece
        num_done += len(piece)
    return flat.reshape(shape, order=order)
