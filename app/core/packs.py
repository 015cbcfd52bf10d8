"""Many small blobs in one file, a pack: it has its name only once it is whole and on disk.

A file for each small image would cost more than decoding it, on the way in and on the way out.
A pack is written once. Behind the contents stands an index, sorted by SHA-256, so that a blob is
found by bisection. A blob that is removed is crossed out there; with its last blob the file goes.
"""

import os
import struct
from collections.abc import Collection, Iterable, Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import NamedTuple
from uuid import uuid4

from app.core.durable import sync_folder

MAX_PACKED_BYTES = 64 * 1024
"""Larger blobs are files of their own."""
_MAX_PACK_BYTES = 64 * 1024**2
"""So that one blob that is still needed keeps no more than that on disk."""
_MAGIC = b"LAPACK1\n"
_ENTRY = struct.Struct("<32sQq")
"""SHA-256, where the content starts, its length."""
_FOOTER = struct.Struct("<QQ8s")
"""Where the index starts, number of entries, magic."""
_CROSSED_OUT = -1
_LENGTH = struct.Struct("<q")
_BUFFER_BYTES = 1024**2
_ENTRIES_AT_ONCE = 4096


class Extent(NamedTuple):
    """A blob's place in its pack."""

    start: int
    num_bytes: int


class PackWriter:
    """Takes blobs until it is full; each must be new to it."""

    def __init__(self, folder: Path) -> None:
        """Start a file without a proper name, which a crash leaves as garbage."""
        folder.mkdir(parents=True, exist_ok=True)
        name = uuid4().hex
        self._target = folder / f"{name}.pack"
        self._temporary = folder / f".{name}.tmp"
        self._file = self._temporary.open("wb", buffering=_BUFFER_BYTES)
        self._file.write(_MAGIC)
        self._end = len(_MAGIC)
        self._entries: list[bytes] = []

    @property
    def is_full(self) -> bool:
        """Whether the next blob should go into another pack."""
        return self._end >= _MAX_PACK_BYTES

    def add(self, digest: bytes, data: bytes) -> None:
        """Append a blob."""
        self._file.write(data)
        self._entries.append(_ENTRY.pack(digest, self._end, len(data)))
        self._end += len(data)

    def publish(self) -> Path:
        """Write the index; on return the pack is on disk and has its name."""
        self._entries.sort()
        self._file.writelines(self._entries)
        self._file.write(_FOOTER.pack(self._end, len(self._entries), _MAGIC))
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        self._temporary.replace(self._target)
        sync_folder(self._target.parent)
        return self._target

    def discard(self) -> None:
        """Remove what was written, if it is not published."""
        with suppress(OSError):
            self._file.close()
        self._temporary.unlink(missing_ok=True)


class Pack:
    """One finished file, opened."""

    def __init__(self, path: Path, *, writable: bool = False) -> None:
        """Open it.

        Raises:
            FileNotFoundError: Its last blob was removed meanwhile.
            ValueError: It is no pack.
        """
        self._fd = -1
        self._fd = os.open(path, os.O_RDWR if writable else os.O_RDONLY)
        footer_at = os.fstat(self._fd).st_size - _FOOTER.size
        footer = os.pread(self._fd, _FOOTER.size, footer_at) if footer_at > 0 else b""
        if not footer.endswith(_MAGIC) or len(footer) != _FOOTER.size:
            raise ValueError(f"{path.name} is no pack of blobs")
        self._index_at, self._num_entries, _ = _FOOTER.unpack(footer)

    def close(self) -> None:
        """Close the file."""
        if self._fd >= 0:
            os.close(self._fd)
        self._fd = -1

    def __del__(self) -> None:
        """Close the file with the last one who looked into it."""
        self.close()

    def find(self, digest: bytes) -> Extent | None:
        """Return where a blob lies, if it is here and not crossed out."""
        number = self._first_from(digest)
        if number == self._num_entries:
            return None
        found, start, num_bytes = self._entry(number)
        return Extent(start, num_bytes) if found == digest and num_bytes >= 0 else None

    def read(self, start: int, num_bytes: int) -> bytes:
        """Return a piece of the file."""
        return os.pread(self._fd, num_bytes, start)

    def digests(self) -> Iterator[bytes]:
        """Yield the SHA-256 of every blob that is not crossed out, in order."""
        for _, digest in self._live(0, self._num_entries):
            yield digest

    def cross_out(self, digests: Collection[bytes]) -> bool:
        """Forget blobs; tell whether any of them was here."""
        first, behind = self._first_from(min(digests)), self._num_entries
        wanted, last, any_found = frozenset(digests), max(digests), False
        for number, digest in self._live(first, behind):
            if digest > last:
                break
            if digest in wanted:
                end_of_entry = self._index_at + (number + 1) * _ENTRY.size
                os.pwrite(self._fd, _LENGTH.pack(_CROSSED_OUT), end_of_entry - _LENGTH.size)
                any_found = True
        return any_found

    def _live(self, first: int, behind: int) -> Iterator[tuple[int, bytes]]:
        """Yield number and SHA-256 of the entries that are not crossed out."""
        for start in range(first, behind, _ENTRIES_AT_ONCE):
            count = min(_ENTRIES_AT_ONCE, behind - start)
            entries = self.read(self._index_at + start * _ENTRY.size, count * _ENTRY.size)
            for number, entry in enumerate(_ENTRY.iter_unpack(entries), start):
                if entry[2] >= 0:
                    yield number, entry[0]

    def _first_from(self, digest: bytes) -> int:
        """Return the number of the first entry that is not below `digest`."""
        low, high = 0, self._num_entries
        while low < high:
            middle = (low + high) // 2
            if self._entry(middle)[0] < digest:
                low = middle + 1
            else:
                high = middle
        return low

    def _entry(self, number: int) -> tuple[bytes, int, int]:
        entry = self.read(self._index_at + number * _ENTRY.size, _ENTRY.size)
        digest, start, num_bytes = _ENTRY.unpack(entry)
        return digest, start, num_bytes


class Packs:
    """All packs of one store."""

    def __init__(self, folder: Path) -> None:
        """Look into `folder`, which need not be there."""
        self.folder = folder
        self._last: Pack | None = None

    def find(self, sha256: str) -> tuple[Pack, Extent] | None:
        """Return where a blob lies.

        Neighbours in a data set are neighbours in a pack, so the last one is looked at first.
        """
        digest = bytes.fromhex(sha256)
        for pack in self._last_first():
            extent = pack.find(digest)
            if extent is not None:
                self._last = pack
                return pack, extent
        return None

    def paths(self) -> list[Path]:
        """Return the finished packs."""
        return sorted(self.folder.glob("[!.]*.pack"))

    def names(self) -> Iterator[str]:
        """Yield the SHA-256 of every blob, in any order; some may stand in several packs."""
        for path in self.paths():
            with suppress(FileNotFoundError), closing(Pack(path)) as pack:
                yield from (digest.hex() for digest in pack.digests())

    def remove(self, sha256s: Iterable[str]) -> None:
        """Forget blobs wherever they stand; an empty pack goes."""
        digests = [bytes.fromhex(sha256) for sha256 in sha256s]
        for path in self.paths() if digests else []:
            with suppress(FileNotFoundError), closing(Pack(path, writable=True)) as pack:
                if pack.cross_out(digests) and next(pack.digests(), None) is None:
                    path.unlink()

    def tidy(self) -> None:
        """Remove what a killed writer left; nobody may be writing."""
        for path in self.folder.glob(".*.tmp"):
            path.unlink(missing_ok=True)

    def _last_first(self) -> Iterator[Pack]:
        if self._last is not None:
            yield self._last
        for path in self.paths():
            with suppress(FileNotFoundError):
                yield Pack(path)
