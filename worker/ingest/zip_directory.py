"""A zip's table of contents, kept as it stands in the file: no object for each of its members.

The standard library's takes 600 bytes an entry, and opening a member by it takes longer than
unpacking a small image.
"""

import struct
from array import array
from collections.abc import Iterator
from typing import BinaryIO, NamedTuple

import numpy as np

from worker.files.limits import SafePoint
from worker.ingest.zip_checks import FLAG_UTF8, EndRecord

# APPNOTE.TXT 4.3.12 and 4.5.3; `x` skips what is not needed
_HEADER = struct.Struct("<4s2xBx2H4x3L3H4x2L")
_LENGTHS = struct.Struct("<28x3H8xL")
"""Of name, extra fields and comment, and the offset: part of the same."""
_SIGNATURE = b"PK\x01\x02"
_EXTRA = struct.Struct("<2H")
_ZIP64 = 1
_SIZE = struct.Struct("<Q")
_IN_ZIP64_FIELD = 0xFFFFFFFF
_MAX_VERSION = 63
"""6.3, the last that defines how members are packed."""


class Entry(NamedTuple):
    """One member as the table describes it; the names are those of `zipfile.ZipInfo`."""

    orig_filename: str
    flag_bits: int
    compress_type: int
    CRC: int
    compress_size: int
    file_size: int
    header_offset: int
    external_attr: int

    @property
    def name(self) -> str:
        """The name, also where a packer wrote UTF-8 without saying so (macOS does)."""
        if self.flag_bits & FLAG_UTF8 or self.orig_filename.isascii():
            return self.orig_filename
        try:
            return self.orig_filename.encode("cp437").decode("utf-8")
        except UnicodeDecodeError:
            return self.orig_filename


_NOTHING = Entry("", 0, 0, 0, 0, 0, 0, 0)


class Directory:
    """All entries; a key is the number of one, in the order of the table."""

    def __init__(self, file: BinaryIO, end: EndRecord, safe_point: SafePoint) -> None:
        """Read the table.

        Raises:
            ValueError: It is damaged.
        """
        file.seek(end.directory_start)
        self._table = file.read(end.directory_bytes)
        self._last: tuple[int, Entry] = (-1, _NOTHING)
        """What was asked for last, which is often asked for again."""
        self._places = array("q")
        self._offsets = array("Q")
        place = 0
        while place < len(self._table):
            safe_point()
            self._places.append(place)
            offset, place = self._offset_and_next(place)
            self._offsets.append(offset)

    def __len__(self) -> int:
        """Return the number of entries, folders too."""
        return len(self._places)

    def __iter__(self) -> Iterator[Entry]:
        """Yield all, by key."""
        return map(self.__getitem__, range(len(self)))

    def __getitem__(self, key: int) -> Entry:
        """Return one.

        Raises:
            ValueError: It is damaged, which shows when it is asked for the first time.
        """
        if key != self._last[0]:
            self._last = key, _parse(self._table, self._places[key])
        return self._last[1]

    def _offset_and_next(self, place: int) -> tuple[int, int]:
        if place + _HEADER.size > len(self._table):
            raise ValueError("it ends too early")
        *num_bytes, offset = _LENGTHS.unpack_from(self._table, place)
        if offset == _IN_ZIP64_FIELD:
            offset = _parse(self._table, place).header_offset
        return offset, place + _HEADER.size + sum(num_bytes)

    def in_file_order(self) -> list[int]:
        """Return the keys in the order in which the members stand in the file."""
        order: list[int] = np.argsort(np.asarray(self._offsets), kind="stable").tolist()
        return order


def _parse(table: bytes, place: int) -> Entry:
    """Return the entry at a place.

    Raises:
        ValueError: There is none, or what it says is not possible.
    """
    (
        signature, version, flags, method, crc, packed, unpacked,
        name_bytes, extra_bytes, comment_bytes, attributes, offset,
    ) = _HEADER.unpack_from(table, place)  # fmt: skip
    name_at = place + _HEADER.size
    extra_at = name_at + name_bytes
    if signature != _SIGNATURE or extra_at + extra_bytes + comment_bytes > len(table):
        raise ValueError("an entry is not where the one before ends")
    if version > _MAX_VERSION:
        raise ValueError(f"it needs version {version / 10} of the format")
    sizes = (unpacked, packed, offset)
    if extra_bytes:
        sizes = _with_zip64(table[extra_at : extra_at + extra_bytes], sizes)
    raw = table[name_at:extra_at]
    name = raw.decode("utf-8" if flags & FLAG_UTF8 or raw.isascii() else "cp437")
    return Entry(name, flags, method, crc, sizes[1], sizes[0], sizes[2], attributes)


def _with_zip64(extra: bytes, sizes: tuple[int, int, int]) -> tuple[int, int, int]:
    """Return the sizes and the offset, from the field of large ones where they stand there."""
    field, at = b"", 0
    while len(extra) - at >= _EXTRA.size:
        kind, num_bytes = _EXTRA.unpack_from(extra, at)
        at += _EXTRA.size + num_bytes
        if at > len(extra):
            raise ValueError("an extra field is longer than the entry")
        if kind == _ZIP64:
            field = extra[at - num_bytes : at]
    large = iter(_SIZE.iter_unpack(field[: len(field) // _SIZE.size * _SIZE.size]))
    try:
        first, second, third = (
            next(large)[0] if size == _IN_ZIP64_FIELD else size for size in sizes
        )
    except (StopIteration, RuntimeError):
        raise ValueError("the field of large sizes is too short") from None
    return first, second, third
