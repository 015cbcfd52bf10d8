"""Making an array in a file row by row, so that an interrupted run can be resumed.

It grows in `.NAME.part`; beside it `.NAME.done` says, a line a shard, which rows are whole and
their SHA-256. Who comes next takes whole shards over, checks each, and goes on after the last one.
"""

import fcntl
import hashlib
import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from app.core.durable import publish_file, write_bytes

Array = npt.NDArray[Any]
Map = np.memmap[Any, np.dtype[Any]]
Make = Callable[[Array, int, Callable[[int], None]], None]
"""Fills an array from a row on, and calls with the number of rows that are done."""

SHARD_ROWS = 512
"""A multiple of the batch size of feature extraction: a resumed run has the same batches."""


def make_in_shards(file: Path, *, shape: tuple[int, ...], dtype: npt.DTypeLike, make: Make) -> None:
    """Write an array to a file, which gets its name when it is complete.

    Two at a time do not disturb each other: the second starts anew in a file of its own.

    Args:
        file: Where to.
        shape: Of the array.
        dtype: Of the array.
        make: Fills it; may raise to stop, which loses what is not in a whole shard.
    """
    part = file.with_name(f".{file.name}.part")
    with _owned(part) as is_mine:
        if file.exists():  # made by another in between
            if is_mine:
                part.unlink()
            return
        if is_mine:
            _go_on(part, file, shape, np.dtype(dtype), make)
        else:
            _make_alone(file, shape, np.dtype(dtype), make)


def _go_on(
    part: Path, file: Path, shape: tuple[int, ...], dtype: np.dtype[Any], make: Make
) -> None:
    num_bytes = dtype.itemsize * int(np.prod(shape))
    if part.stat().st_size != num_bytes:
        os.truncate(part, num_bytes)
    array = np.memmap(part, dtype=dtype, mode="r+", shape=shape)
    journal = _Journal(file.with_name(f".{file.name}.done"), array)
    start = journal.num_whole
    if start < len(array):
        make(array, start, journal.note)
    array.flush()
    publish_file(part, file)
    journal.drop()


def _make_alone(file: Path, shape: tuple[int, ...], dtype: np.dtype[Any], make: Make) -> None:
    temporary = file.with_name(f".{file.name}.{os.getpid()}.tmp")
    array = np.memmap(temporary, dtype=dtype, mode="w+", shape=shape)
    try:
        make(array, 0, lambda _: None)
        array.flush()
        publish_file(temporary, file)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def _owned(part: Path) -> Iterator[bool]:
    """Lock the part; the context tells whether this process has it. The kernel frees the lock."""
    with part.open("ab") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
            return
        # Whoever had it may have given the file its name in between.
        yield part.exists() and os.path.samestat(os.fstat(handle.fileno()), part.stat())


class _Journal:
    """Notes which rows are complete."""

    def __init__(self, file: Path, array: Map) -> None:
        """Keep the lines of earlier runs that agree with the array."""
        self._file = file
        self._array = array
        lines = self._true_lines()
        self.num_whole = SHARD_ROWS * len(lines)
        write_bytes(file, "".join(f"{line}\n" for line in [self._head(), *lines]).encode())

    def note(self, num_rows: int) -> None:
        """Note every shard that is complete after so many rows."""
        while self.num_whole + SHARD_ROWS <= num_rows:
            self._array.flush()
            line = self._digest(self.num_whole)
            with self._file.open("a") as file:
                file.write(f"{line}\n")
                file.flush()
                os.fsync(file.fileno())
            self.num_whole += SHARD_ROWS

    def drop(self) -> None:
        """Delete the journal; the array is complete."""
        self._file.unlink(missing_ok=True)

    def _true_lines(self) -> list[str]:
        """Return the digests, from the first shard on, that agree with what is in the array."""
        if not self._file.exists():
            return []
        head, *lines = self._file.read_text(errors="replace").splitlines() or [""]
        if head != self._head():
            return []
        true: list[str] = []
        for line in lines:
            start = SHARD_ROWS * len(true)
            if start + SHARD_ROWS > len(self._array) or line != self._digest(start):
                break
            true.append(line)
        return true

    def _head(self) -> str:
        return json.dumps([SHARD_ROWS, self._array.shape, str(self._array.dtype)])

    def _digest(self, start: int) -> str:
        shard = np.ascontiguousarray(self._array[start : start + SHARD_ROWS])
        return hashlib.sha256(shard.data).hexdigest()
