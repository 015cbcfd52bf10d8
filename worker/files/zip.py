"""Zip archives: read by the standard library, after checks that every reader sees the same files.

The standard library trusts the table of contents at the file's end. Entries that share one block
of data make a small file unpack to terabytes (CVE-2024-0450), and headers that contradict each
other show different files to different programs. So the number of entries is known before an
object is made for each, and all headers are compared before any member is unpacked.
"""

import os
import stat
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from operator import attrgetter
from typing import IO, BinaryIO

from worker.files.errors import (
    FailureCode,
    Refusal,
    RefusedFileError,
    RejectCode,
    UploadError,
)
from worker.files.limits import ReadMeter, SafePoint
from worker.files.magic_bytes import ZIP_END, ZIP_ENTRY
from worker.files.members import Member
from worker.files.names import printable

_METHODS = frozenset({zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED})
_MAX_DIRECTORY_BYTES_PER_FILE = 1024
_DIRECTORY_DAMAGE = (zipfile.BadZipFile, NotImplementedError, struct.error, ValueError)
"""What `zipfile` raises on a damaged table of contents; NotImplementedError is of a new version."""
_MEMBER_DAMAGE = (zipfile.BadZipFile, zlib.error, EOFError)

# APPNOTE.TXT 4.3.7, 4.3.12 and 4.3.14 to 4.3.16; `x` skips what is not needed
_LOCAL_HEADER = struct.Struct("<4s2x2H4x3L2H")
_DIRECTORY_LENGTHS = struct.Struct("<28x3H12x")
"""Of name, extra fields and comment."""
_END_RECORD = struct.Struct("<4s6xH2LH")
_ZIP64_LOCATOR = struct.Struct("<4s16x")
_ZIP64_END_RECORD = struct.Struct("<4s28x3Q")
_ZIP64_LOCATOR_SIGNATURE = b"PK\x06\x07"
_ZIP64_END_SIGNATURE = b"PK\x06\x06"
_MAX_COMMENT_BYTES = 0xFFFF
_IN_ZIP64_FIELD = 0xFFFFFFFF
_COUNT_WRAPS_AT = 0x10000
"""Some writers store the number of entries modulo this instead of using zip64."""

# General purpose flags, APPNOTE.TXT 4.4.4
_FLAG_ENCRYPTED = 0x1
_FLAG_SIZES_FOLLOW = 0x8
_FLAG_PATCH = 0x20
_FLAG_STRONGLY_ENCRYPTED = 0x40
_FLAG_UTF8 = 0x800


class ZipArchive:
    """A zip file whose headers agree with each other."""

    def __init__(
        self, file: BinaryIO, safe_point: SafePoint, *, max_files: int, max_file_bytes: int
    ) -> None:
        """Read and check the table of contents.

        Raises:
            UploadError: The table is damaged, too long or ambiguous.
        """
        self._max_file_bytes = max_file_bytes
        end = _require_end_record(file)
        _check_directory(file, end, safe_point, max_files=max_files)
        try:
            self._zip = zipfile.ZipFile(file)
        except _DIRECTORY_DAMAGE as error:
            raise _damaged_directory(error) from error
        self._entries = self._zip.infolist()
        _compare_headers(file, self._entries, end, safe_point)

    @property
    def members(self) -> Iterator[Member]:
        """All members but folders, in the order of the archive."""
        for key, entry in enumerate(self._entries):
            if not entry.orig_filename.endswith("/"):
                yield self._member(key, entry)

    def member(self, key: int) -> Member:
        """Return the member with this key."""
        return self._member(key, self._entries[key])

    def read(self, member: Member, meter: ReadMeter) -> bytes:
        """Unpack one member into memory."""
        member.require_readable()
        with self.open(member) as read:
            data = read(member.num_bytes)
        meter.add(len(data))
        return data

    @contextmanager
    def open(self, member: Member) -> Iterator[Callable[[int], bytes]]:
        """Open a member of any size; the context gives a function that reads the next bytes."""
        member.require_readable(of_any_size=True)
        try:
            with self._zip.open(self._entries[member.key]) as file:
                yield _exactly(file, member.num_bytes)
        except _MEMBER_DAMAGE as error:
            detail = f"The packed data are damaged: {error}."
            raise RefusedFileError(RejectCode.UNREADABLE_MEMBER, detail) from error

    def _member(self, key: int, entry: zipfile.ZipInfo) -> Member:
        return Member(_name(entry), key, entry.file_size, self._refusal(entry))

    def _refusal(self, entry: zipfile.ZipInfo) -> Refusal | None:
        kind = stat.S_IFMT(entry.external_attr >> 16)  # zero from systems without Unix modes
        if kind not in {0, stat.S_IFREG}:
            return Refusal(RejectCode.NOT_A_REGULAR_FILE, "A link or a device.")
        if entry.flag_bits & (_FLAG_ENCRYPTED | _FLAG_STRONGLY_ENCRYPTED):
            return Refusal(RejectCode.ENCRYPTED, "Protected by a password.")
        if entry.flag_bits & _FLAG_PATCH:
            detail = "Packed as changes to another file."
            return Refusal(RejectCode.UNSUPPORTED_COMPRESSION, detail)
        if entry.compress_type not in _METHODS:
            return Refusal(
                RejectCode.UNSUPPORTED_COMPRESSION,
                f"Packed by method {entry.compress_type}; only 'stored' and 'deflate' are read.",
            )
        if entry.file_size > self._max_file_bytes:
            detail = f"Larger than {self._max_file_bytes:,} bytes."
            return Refusal(RejectCode.FILE_TOO_LARGE, detail)
        return None


def has_end_record(file: BinaryIO) -> bool:
    """Tell whether a file ends with the end record of a zip."""
    return _find_end_record(file) is not None


def _exactly(file: IO[bytes], num_bytes: int) -> Callable[[int], bytes]:
    """Return a function that reads, and fails when a member is shorter than it claims.

    `zipfile` compares the checksum with the last byte, and never gives more than claimed.
    """
    num_left = num_bytes

    def read(num_wanted: int) -> bytes:
        nonlocal num_left
        data = file.read(min(num_wanted, num_left))
        num_left -= len(data)
        if num_left and len(data) < num_wanted:
            raise EOFError("the end is missing")
        return data

    return read


def _name(entry: zipfile.ZipInfo) -> str:
    """Return the name, also where a packer wrote UTF-8 without saying so (macOS does)."""
    name = entry.orig_filename
    if entry.flag_bits & _FLAG_UTF8 or name.isascii():
        return name
    try:
        return name.encode("cp437").decode("utf-8")
    except UnicodeDecodeError:
        return name


@dataclass(frozen=True, slots=True)
class _EndRecord:
    """What the end of a zip says of its table of contents."""

    position: int
    """Where the end records begin, which is where the table has to end."""
    num_entries: int
    directory_bytes: int
    directory_start: int


def _require_end_record(file: BinaryIO) -> _EndRecord:
    end = _find_end_record(file)
    if end is not None:
        return end
    _, tail = _tail(file)
    at = tail.rfind(ZIP_END)
    if at >= 0 and _num_bytes_behind(tail, at) > 0:
        raise UploadError(FailureCode.SUSPICIOUS_ARCHIVE, "Data follow the end of the zip.")
    raise UploadError(
        FailureCode.TRUNCATED_ARCHIVE, "The zip has no end record: part of it is missing."
    )


def _find_end_record(file: BinaryIO) -> _EndRecord | None:
    """Return the last record, if it ends exactly where the file ends."""
    tail_start, tail = _tail(file)
    at = tail.rfind(ZIP_END)
    if at < 0 or _num_bytes_behind(tail, at) != 0:
        return None
    _, entries, size, start, _ = _END_RECORD.unpack_from(tail, at)
    position = tail_start + at
    return _zip64_end_record(file, position) or _EndRecord(position, entries, size, start)


def _tail(file: BinaryIO) -> tuple[int, bytes]:
    file_bytes = file.seek(0, os.SEEK_END)
    start = max(0, file_bytes - _END_RECORD.size - _MAX_COMMENT_BYTES)
    return start, _read_at(file, start, file_bytes - start)


def _num_bytes_behind(tail: bytes, at: int) -> int:
    """Return how many bytes follow the end record at `at`; negative if it is cut off."""
    if len(tail) - at < _END_RECORD.size:
        return -1
    *_, comment_bytes = _END_RECORD.unpack_from(tail, at)
    return len(tail) - at - _END_RECORD.size - int(comment_bytes)


def _zip64_end_record(file: BinaryIO, end_position: int) -> _EndRecord | None:
    position = end_position - _ZIP64_LOCATOR.size - _ZIP64_END_RECORD.size
    if position < 0:
        return None
    block = _read_at(file, position, end_position - position)
    signature, entries, size, start = _ZIP64_END_RECORD.unpack_from(block)
    (locator,) = _ZIP64_LOCATOR.unpack_from(block, _ZIP64_END_RECORD.size)
    if (signature, locator) != (_ZIP64_END_SIGNATURE, _ZIP64_LOCATOR_SIGNATURE):
        return None
    return _EndRecord(position, entries, size, start)


def _check_directory(
    file: BinaryIO, end: _EndRecord, safe_point: SafePoint, *, max_files: int
) -> None:
    """Refuse a table of contents that is too long, misplaced or not as the end record says."""
    if end.directory_start + end.directory_bytes != end.position:
        raise UploadError(
            FailureCode.SUSPICIOUS_ARCHIVE,
            "The zip's table of contents is not where its end record says; "
            "something was put before or into the archive.",
        )
    too_many = UploadError(
        FailureCode.TOO_MANY_FILES, f"The archive holds more than {max_files:,} files."
    )
    if (
        end.num_entries > max_files
        or end.directory_bytes > max_files * _MAX_DIRECTORY_BYTES_PER_FILE
    ):
        raise too_many
    num_entries, position = 0, end.directory_start
    while position + _DIRECTORY_LENGTHS.size <= end.position:
        safe_point()
        if num_entries == max_files:
            raise too_many
        lengths = _DIRECTORY_LENGTHS.unpack(_read_at(file, position, _DIRECTORY_LENGTHS.size))
        position += _DIRECTORY_LENGTHS.size + sum(lengths)
        num_entries += 1
    if position != end.position:
        raise _damaged_directory("its last entry does not end where it ends")
    if (num_entries - end.num_entries) % _COUNT_WRAPS_AT:
        raise UploadError(
            FailureCode.SUSPICIOUS_ARCHIVE, "The zip holds more or fewer files than it says."
        )


def _compare_headers(
    file: BinaryIO, entries: list[zipfile.ZipInfo], end: _EndRecord, safe_point: SafePoint
) -> None:
    """Compare every entry with the header in front of its data.

    Raises:
        UploadError: They contradict each other, or entries share data.
    """
    position = 0
    for number, entry in enumerate(sorted(entries, key=attrgetter("header_offset"))):
        safe_point()
        if number == 0 and entry.header_offset != 0:
            raise UploadError(FailureCode.SUSPICIOUS_ARCHIVE, "Data stand before the zip.")
        if entry.header_offset < position:
            raise _suspicious(entry, "shares its data with another file")
        position = _data_start(file, entry) + entry.compress_size
        if position > end.directory_start:
            raise _suspicious(entry, "reaches beyond the end of the data")


def _data_start(file: BinaryIO, entry: zipfile.ZipInfo) -> int:
    """Return where the packed data begin, having compared both headers."""
    right_name = _raw_name(entry)
    header = _read_at(file, entry.header_offset, _LOCAL_HEADER.size + len(right_name))
    if len(header) < _LOCAL_HEADER.size or not header.startswith(ZIP_ENTRY):
        raise UploadError(
            FailureCode.CORRUPT_ARCHIVE,
            f"There is no file header where the zip says that {_shown(entry)} begins.",
        )
    fields = _LOCAL_HEADER.unpack_from(header)
    _, flags, method, crc, packed, unpacked, name_bytes, extra_bytes = fields
    is_same_name = name_bytes == len(right_name) and header[_LOCAL_HEADER.size :] == right_name
    if not is_same_name or method != entry.compress_type:
        raise _suspicious(entry, "has another name or method in its own header")
    if (flags ^ entry.flag_bits) & _FLAG_ENCRYPTED:
        raise _suspicious(entry, "is encrypted according to one of its headers only")
    if (flags ^ entry.flag_bits) & _FLAG_UTF8 and not right_name.isascii():
        raise _suspicious(entry, "has its name in another encoding in its own header")
    if not flags & _FLAG_SIZES_FOLLOW:
        pairs = ((crc, entry.CRC), (packed, entry.compress_size), (unpacked, entry.file_size))
        if any(local not in {central, _IN_ZIP64_FIELD} for local, central in pairs):
            raise _suspicious(entry, "has another size or checksum in its own header")
    num_header_bytes: int = _LOCAL_HEADER.size + name_bytes + extra_bytes
    return entry.header_offset + num_header_bytes


def _raw_name(entry: zipfile.ZipInfo) -> bytes:
    name = entry.orig_filename
    is_utf8 = entry.flag_bits & _FLAG_UTF8 or name.isascii()
    return name.encode("utf-8" if is_utf8 else "cp437")


def _suspicious(entry: zipfile.ZipInfo, what: str) -> UploadError:
    return UploadError(FailureCode.SUSPICIOUS_ARCHIVE, f"The zip's file {_shown(entry)} {what}.")


def _shown(entry: zipfile.ZipInfo) -> str:
    return f"'{printable(entry.orig_filename)}'"


def _damaged_directory(reason: object) -> UploadError:
    detail = f"The zip's table of contents cannot be read: {reason}."
    return UploadError(FailureCode.CORRUPT_ARCHIVE, detail)


def _read_at(file: BinaryIO, position: int, num_bytes: int) -> bytes:
    file.seek(position)
    return file.read(num_bytes)
