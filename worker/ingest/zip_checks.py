"""Checks that make a zip mean the same to every reader, before any member is unpacked.

The standard library trusts the table of contents at the file's end. Entries that share one
block of data make a small file unpack to terabytes (CVE-2024-0450), and headers that
contradict each other show different files to different programs.
"""

import os
import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from operator import attrgetter
from typing import BinaryIO, Protocol

from worker.files.errors import FailureCode, UploadError
from worker.files.limits import SafePoint
from worker.files.names import printable

LOCAL_SIGNATURE = b"PK\x03\x04"
END_SIGNATURE = b"PK\x05\x06"
FLAG_ENCRYPTED = 0x1
FLAG_UTF8 = 0x800
_FLAG_SIZES_FOLLOW = 0x8
_IN_ZIP64_FIELD = 0xFFFFFFFF
_COUNT_WRAPS_AT = 0x10000
"""Some writers store the number of entries modulo this instead of using zip64."""

# APPNOTE.TXT 4.3.7 and 4.3.14 to 4.3.16; `x` skips what is not needed
_LOCAL_HEADER = struct.Struct("<4s2x2H4x3L2H")
_END_RECORD = struct.Struct("<4s6xH2LH")
_ZIP64_LOCATOR = struct.Struct("<4s16x")
_ZIP64_END_RECORD = struct.Struct("<4s28x3Q")
_ZIP64_LOCATOR_SIGNATURE = b"PK\x06\x07"
_ZIP64_END_SIGNATURE = b"PK\x06\x06"
_MAX_COMMENT_BYTES = 0xFFFF


class ZipEntry(Protocol):
    """One line of the table of contents; `zipfile.ZipInfo` is one."""

    @property
    def orig_filename(self) -> str:
        """The name as it stands there."""

    @property
    def flag_bits(self) -> int:
        """What is special."""

    @property
    def compress_type(self) -> int:
        """How it is packed."""

    @property
    def CRC(self) -> int:  # noqa: N802 - the standard library's name
        """Checksum of the content."""

    @property
    def compress_size(self) -> int:
        """Bytes that it takes in the file."""

    @property
    def file_size(self) -> int:
        """Bytes of the content."""

    @property
    def header_offset(self) -> int:
        """Where its own header is."""


@dataclass(frozen=True, slots=True)
class EndRecord:
    """What the end of a zip says of its table of contents."""

    position: int
    """Where the end records begin, which is where the table has to end."""
    num_entries: int
    directory_bytes: int
    directory_start: int


def find_end_record(file: BinaryIO) -> EndRecord | None:
    """Return the last record, if it ends exactly where the file ends."""
    tail_start, tail = _tail(file)
    at = tail.rfind(END_SIGNATURE)
    if at < 0 or _surplus(tail, at) != 0:
        return None
    _, entries, size, start, _ = _END_RECORD.unpack_from(tail, at)
    position = tail_start + at
    return _zip64_end_record(file, position) or EndRecord(position, entries, size, start)


def has_data_behind_end(file: BinaryIO) -> bool:
    """Tell a zip with something appended from one that was cut off, when no end record fits."""
    _, tail = _tail(file)
    at = tail.rfind(END_SIGNATURE)
    return at >= 0 and _surplus(tail, at) > 0


def _tail(file: BinaryIO) -> tuple[int, bytes]:
    file_bytes = file.seek(0, os.SEEK_END)
    start = max(0, file_bytes - _END_RECORD.size - _MAX_COMMENT_BYTES)
    return start, _read_at(file, start, file_bytes - start)


def _surplus(tail: bytes, at: int) -> int:
    """Return how many bytes follow the end record at `at`; negative if it is cut off."""
    if len(tail) - at < _END_RECORD.size:
        return -1
    *_, comment_bytes = _END_RECORD.unpack_from(tail, at)
    return len(tail) - at - _END_RECORD.size - int(comment_bytes)


def _zip64_end_record(file: BinaryIO, end_position: int) -> EndRecord | None:
    position = end_position - _ZIP64_LOCATOR.size - _ZIP64_END_RECORD.size
    if position < 0:
        return None
    block = _read_at(file, position, end_position - position)
    signature, entries, size, start = _ZIP64_END_RECORD.unpack_from(block)
    (locator,) = _ZIP64_LOCATOR.unpack_from(block, _ZIP64_END_RECORD.size)
    if (signature, locator) != (_ZIP64_END_SIGNATURE, _ZIP64_LOCATOR_SIGNATURE):
        return None
    return EndRecord(position, entries, size, start)


def check_directory_place(end: EndRecord) -> None:
    """Refuse a table of contents that is not where every reader looks for it."""
    if end.directory_start + end.directory_bytes != end.position:
        raise UploadError(
            FailureCode.SUSPICIOUS_ARCHIVE,
            "The zip's table of contents is not where its end record says; "
            "something was put before or into the archive.",
        )


def check_entries(
    file: BinaryIO, entries: Iterable[ZipEntry], end: EndRecord, safe_point: SafePoint
) -> None:
    """Compare every entry with the header in front of its data.

    Raises:
        UploadError: They contradict each other, or entries share data.
    """
    in_file_order = sorted(entries, key=attrgetter("header_offset"))
    for _ in data_starts(file, in_file_order, end, safe_point):
        pass


def data_starts(
    file: BinaryIO, entries: Iterable[ZipEntry], end: EndRecord, safe_point: SafePoint
) -> Iterator[int]:
    """Yield where the packed data of each entry begin; they come in the order of the file.

    Raises:
        UploadError: As `check_entries`, at the latest behind the last.
    """
    num_entries, position = 0, 0
    for entry in entries:
        safe_point()
        if num_entries == 0 and entry.header_offset != 0:
            raise UploadError(FailureCode.SUSPICIOUS_ARCHIVE, "Data stand before the zip.")
        if entry.header_offset < position:
            raise _suspicious(entry, "shares its data with another file")
        start = _data_start(file, entry)
        position = start + entry.compress_size
        num_entries += 1
        if position > end.directory_start:
            raise _suspicious(entry, "reaches beyond the end of the data")
        yield start
    if (num_entries - end.num_entries) % _COUNT_WRAPS_AT:
        raise UploadError(
            FailureCode.SUSPICIOUS_ARCHIVE, "The zip holds more or fewer files than it says."
        )


def _data_start(file: BinaryIO, entry: ZipEntry) -> int:
    """Return where the packed data begin, having compared both headers."""
    right_name = _raw_name(entry)
    header = _read_at(file, entry.header_offset, _LOCAL_HEADER.size + len(right_name))
    if len(header) < _LOCAL_HEADER.size or not header.startswith(LOCAL_SIGNATURE):
        raise UploadError(
            FailureCode.CORRUPT_ARCHIVE,
            f"There is no file header where the zip says that {_shown(entry)} begins.",
        )
    fields = _LOCAL_HEADER.unpack_from(header)
    _, flags, method, crc, packed, unpacked, name_bytes, extra_bytes = fields
    is_same_name = name_bytes == len(right_name) and header[_LOCAL_HEADER.size :] == right_name
    if not is_same_name or method != entry.compress_type:
        raise _suspicious(entry, "has another name or method in its own header")
    if (flags ^ entry.flag_bits) & FLAG_ENCRYPTED:
        raise _suspicious(entry, "is encrypted according to one of its headers only")
    if (flags ^ entry.flag_bits) & FLAG_UTF8 and not right_name.isascii():
        raise _suspicious(entry, "has its name in another encoding in its own header")
    if not flags & _FLAG_SIZES_FOLLOW:
        _compare_sizes(entry, crc, packed, unpacked)
    num_header_bytes: int = _LOCAL_HEADER.size + name_bytes + extra_bytes
    return entry.header_offset + num_header_bytes


def _compare_sizes(entry: ZipEntry, crc: int, packed: int, unpacked: int) -> None:
    pairs = ((crc, entry.CRC), (packed, entry.compress_size), (unpacked, entry.file_size))
    if any(local not in {central, _IN_ZIP64_FIELD} for local, central in pairs):
        raise _suspicious(entry, "has another size or checksum in its own header")


def _raw_name(entry: ZipEntry) -> bytes:
    name = entry.orig_filename
    is_utf8 = entry.flag_bits & FLAG_UTF8 or name.isascii()
    return name.encode("utf-8" if is_utf8 else "cp437")


def _suspicious(entry: ZipEntry, what: str) -> UploadError:
    return UploadError(FailureCode.SUSPICIOUS_ARCHIVE, f"The zip's file {_shown(entry)} {what}.")


def _shown(entry: ZipEntry) -> str:
    return f"'{printable(entry.orig_filename)}'"


def _read_at(file: BinaryIO, position: int, num_bytes: int) -> bytes:
    file.seek(position)
    return file.read(num_bytes)
