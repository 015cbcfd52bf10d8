"""The cache of decoded images, and the pairs of different files in it that show the same picture.

A perceptual hash, computed while the cache is written, tells which pictures may be copies that
were resized or compressed again. Hashes that nearly agree are found by bands: of 64 bits in six
bands, at most five changed ones leave a band unchanged, and more do more often than not. Simple
pictures, such as digits, have close hashes without being copies, so the pixels decide.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, NamedTuple

import numpy as np
import numpy.typing as npt

from worker.files.limits import SafePoint

_BUFFER_BYTES = 1024**2
_NUM_FREQUENCIES = 8
_GREY = np.array([0.299, 0.587, 0.114], np.float32)
_BAND_BITS = (11, 11, 11, 11, 10, 10)
_MAX_CHANGED_BITS = 12
_WINDOW = 100
"""Number of neighbours that a picture is compared with in each band: bounds the time where all
pictures look alike."""
_MIN_CORRELATION = 0.97
"""Of 10,000 CIFAR-10 images 2 pairs reach it; of their JPEG copies at quality 75 all do."""
_MIN_CONTRAST = 4.0
"""Standard deviation in grey levels; flatter pictures are not compared."""
_BLOCK_PIXELS = 64 * 1024
"""Pixels per block: some 2 MB in floating point, which stay in the processor's cache."""
Hashes = npt.NDArray[np.uint64]
Pairs = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


class PixelFile:
    """Rows of a file of uint8 (N, side * side * 3).

    Rows are read, not mapped: the kernel would map the neighbours of each page too, and count them
    as memory of this process.
    """

    def __init__(self, file: Path, side: int) -> None:
        """Open a complete file."""
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
        """Return a copy of a slice of rows, or of any rows."""
        if isinstance(rows, slice):
            start, stop, _ = rows.indices(self._num_rows)
            return self._as_rows(self._read(start, stop - start))
        return self._as_rows(b"".join(self._read(row, 1) for row in rows.tolist()))

    def _read(self, start: int, num_rows: int) -> bytes:
        return os.pread(self._descriptor, num_rows * self.row_bytes, start * self.row_bytes)

    def _as_rows(self, data: bytes) -> npt.NDArray[np.uint8]:
        return np.frombuffer(data, np.uint8).reshape(-1, self.row_bytes)


Pixels = npt.NDArray[np.uint8] | PixelFile
"""One decoded picture a row, (N, side * side * 3); may lie on disk."""


class PixelWriter:
    """Appends rows of RGB pixels, each `side * side * 3` bytes."""

    def __init__(self, path: Path, file: BinaryIO, side: int) -> None:
        """Write into `file`, opened at `path`."""
        self._path = path
        self._file = file
        self._side = side
        self._hasher = Hasher(side)

    def write(self, pixels: bytes) -> None:
        """Append one or many rows."""
        self._file.write(pixels)
        self._hasher.add(pixels)

    def near_pairs(self, safe_point: SafePoint) -> list[tuple[int, int]]:
        """Return pairs of rows that show the same picture; call it after the last `write`."""
        hashes = self._hasher.hashes()
        if not len(hashes):
            return []
        rows = PixelFile(self._path, self._side)
        pairs: list[tuple[int, int]] = near_pairs(hashes, rows, self._side, safe_point).tolist()
        return pairs


@contextmanager
def writing_pixels(path: Path, side: int) -> Iterator[PixelWriter]:
    """Create the file; it is complete after the block."""
    with path.open("wb", buffering=_BUFFER_BYTES) as file:
        yield PixelWriter(path, file, side)


class Hasher:
    """Computes perceptual hashes (pHash) of pictures as they are written.

    Each of the 64 bits says whether one of the lowest frequencies is above their median.
    """

    def __init__(self, side: int) -> None:
        """Take pictures of this side."""
        self._side = side
        self._cosines = _cosines(side)
        self._grey_cosines = np.kron(self._cosines.T, _GREY[:, None])
        """Maps the colours of a line of pixels to frequencies of its grey values."""
        self._block_bytes = _block_rows(side) * side * side * 3
        self._waiting = bytearray()
        self._found: list[Hashes] = []

    def add(self, pixels: bytes) -> None:
        """Add the next bytes of the cache."""
        self._waiting += pixels
        while len(self._waiting) >= self._block_bytes:
            self._hash(self._waiting[: self._block_bytes])
            del self._waiting[: self._block_bytes]

    def hashes(self) -> Hashes:
        """Return the hashes of all pictures."""
        if self._waiting:
            self._hash(self._waiting)
            self._waiting = bytearray()
        return np.concatenate([np.empty(0, np.uint64), *self._found])

    def _hash(self, block: bytearray) -> None:
        lines = np.frombuffer(block, np.uint8).reshape(-1, self._side * 3).astype(np.float32)
        along = (lines @ self._grey_cosines).reshape(-1, self._side, _NUM_FREQUENCIES)
        frequencies = self._cosines @ along
        flat = frequencies.reshape(len(frequencies), -1)
        middle = np.sort(flat, axis=1)[:, _NUM_FREQUENCIES**2 // 2 - 1 :][:, :2]
        bits = np.packbits(flat > middle.mean(axis=1, keepdims=True), axis=1)
        self._found.append(bits.view(">u8").ravel().astype(np.uint64))


def _block_rows(side: int) -> int:
    return max(1, _BLOCK_PIXELS // (side * side))


def _cosines(side: int) -> npt.NDArray[np.float32]:
    """Return the lowest rows of the matrix of the discrete cosine transform, type II."""
    rows, columns = np.arange(_NUM_FREQUENCIES)[:, None], np.arange(side)[None, :]
    return np.cos(np.pi * rows * (2 * columns + 1) / (2 * side)).astype(np.float32)


def near_pairs(hashes: Hashes, pixels: Pixels, side: int, safe_point: SafePoint) -> Pairs:
    """Return the pairs of rows (M, 2), the lower first, that show the same picture.

    `hashes` are those of a `Hasher`.
    """
    found = [np.empty((0, 2), np.int64), *_close_hashes(hashes, safe_point)]
    candidates = np.unique(np.concatenate(found), axis=0)
    alike = [candidates[:0], *_alike(candidates, pixels, side, safe_point)]
    return np.concatenate(alike)


def _close_hashes(hashes: Hashes, safe_point: SafePoint) -> Iterator[Pairs]:
    low = 0
    for num_bits in _BAND_BITS:
        band = (hashes >> np.uint64(low)) & np.uint64((1 << num_bits) - 1)
        low += num_bits
        order = np.lexsort((hashes, band))
        sorted_hashes, sorted_band = hashes[order], band[order]
        for shift in range(1, min(_WINDOW, len(order) - 1) + 1):
            safe_point()
            same_band = sorted_band[:-shift] == sorted_band[shift:]
            if not same_band.any():
                break
            changed = np.bitwise_count(sorted_hashes[:-shift] ^ sorted_hashes[shift:])
            (at,) = np.nonzero(same_band & (changed <= _MAX_CHANGED_BITS))
            yield np.sort(np.stack([order[at], order[at + shift]], axis=1), axis=1)


class _Rows(NamedTuple):
    """Some pictures as numbers."""

    values: Floats
    """(N, side * side * 3)"""
    sums: Floats
    """Of each colour, (N, 3)."""

    @classmethod
    def of(cls, rows: npt.NDArray[np.uint8], one_colour: Floats) -> "_Rows":
        values = rows.astype(np.float64)
        return cls(values, values @ one_colour)


def _alike(candidates: Pairs, pixels: Pixels, side: int, safe_point: SafePoint) -> Iterator[Pairs]:
    """Yield the pairs that correlate, colour by colour: a copy may be lighter or warmer.

    Sums of products in float64 are exact here, so nothing is lost by taking the means away last.
    """
    num_rows = _block_rows(side)
    one_colour = np.tile(np.eye(3), (side * side, 1))
    for start in range(0, len(candidates), num_rows):
        safe_point()
        pairs = candidates[start : start + num_rows]
        first, second = (_Rows.of(pixels[rows], one_colour) for rows in pairs.T)
        squares = _comoment(first, first) * _comoment(second, second)
        strength = np.sqrt(np.maximum(squares, 0.0))
        has_contrast = strength >= _MIN_CONTRAST**2 * first.values.shape[1]
        product = _comoment(first, second)
        yield pairs[has_contrast & (product >= _MIN_CORRELATION * strength)]


def _comoment(first: _Rows, second: _Rows) -> Floats:
    """Return the sum of products of each two rows around their means, colour by colour."""
    num_pixels = first.values.shape[1] // first.sums.shape[1]
    total: Floats = np.einsum("ij,ij->i", first.values, second.values)
    means: Floats = np.einsum("ij,ij->i", first.sums, second.sums)
    comoment: Floats = total - means / num_pixels
    return comoment
