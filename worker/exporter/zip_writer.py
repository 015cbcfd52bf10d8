"""A zip of stored members, written in one pass.

`zipfile` keeps an object for every member until the end, a kilobyte for each sample; here the
central directory goes to a file beside the archive. Images do not get smaller by compressing.
Times are fixed, so that the same content is the same file.
"""

import struct
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

_CHUNK = 1024 * 1024
_MAX_32, _MAX_16 = 0xFFFFFFFF, 0xFFFF
_UTF8_NAMES = 1 << 11
_DATE_1980 = 1 << 5 | 1
_PLAIN, _ZIP64 = 20, 45
_MADE_BY_UNIX = 3 << 8 | _ZIP64
_MODE = 0o100644 << 16


class ZipWriter:
    """Use it in a `with` block; the archive is complete after it."""

    def __init__(self, target: Path) -> None:
        """Write to `target`."""
        self._file = target.open("wb")
        self._directory_path = target.with_name(f"{target.name}.directory")
        self._directory = self._directory_path.open("wb+")
        self._count = 0

    def add(self, name: str, data: bytes) -> None:
        """Add a member."""
        self._begin(name, zlib.crc32(data), len(data))
        self._file.write(data)

    def add_file(self, name: str, source: Path) -> None:
        """Add a member of any size."""
        crc = 0
        for chunk in _chunks(source):
            crc = zlib.crc32(chunk, crc)
        self._begin(name, crc, source.stat().st_size)
        self._file.writelines(_chunks(source))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        error_type: type[BaseException] | None,
        _error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        if error_type is None:
            self._end()
        self._file.close()
        self._directory.close()
        self._directory_path.unlink()

    def _begin(self, name: str, crc: int, size: int) -> None:
        raw = name.encode()
        offset = self._file.tell()
        sizes = [size, size] if _is_large(size) else []
        offsets = [offset] if _is_large(offset) else []
        needed = _ZIP64 if sizes or offsets else _PLAIN
        about = (needed, _UTF8_NAMES, 0, 0, _DATE_1980, crc, _short(size), _short(size), len(raw))
        extra = _extra(sizes)
        self._file.write(struct.pack("<4s5H3I2H", b"PK\3\4", *about, len(extra)) + raw + extra)
        extra = _extra(sizes + offsets)
        place = (len(extra), 0, 0, 0, _MODE, _short(offset))
        head = struct.pack("<4s6H3I5H2I", b"PK\1\2", _MADE_BY_UNIX, *about, *place)
        self._directory.write(head + raw + extra)
        self._count += 1

    def _end(self) -> None:
        start = self._file.tell()
        self._directory.flush()
        self._file.writelines(_chunks(self._directory_path))
        end = self._file.tell()
        size = end - start
        if self._count >= _MAX_16 or _is_large(end):
            fields = (44, _MADE_BY_UNIX, _ZIP64, 0, 0, self._count, self._count, size, start)
            self._file.write(struct.pack("<4sQ2H2I4Q", b"PK\6\6", *fields))
            self._file.write(struct.pack("<4sIQI", b"PK\6\7", 0, end, 1))
        count = min(self._count, _MAX_16)
        last = (0, 0, count, count, _short(size), _short(start), 0)
        self._file.write(struct.pack("<4s4H2IH", b"PK\5\6", *last))


def _is_large(number: int) -> bool:
    return number >= _MAX_32


def _short(number: int) -> int:
    """Return a number for a field of 32 bits; all bits set mean: look into the extra field."""
    return _MAX_32 if _is_large(number) else number


def _extra(values: Iterable[int]) -> bytes:
    data = b"".join(struct.pack("<Q", value) for value in values)
    return struct.pack("<2H", 1, len(data)) + data if data else b""


def _chunks(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            yield chunk
