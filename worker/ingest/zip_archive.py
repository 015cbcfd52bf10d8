"""Reading members of a zip, after its headers were compared with each other."""

import stat
import zipfile
import zlib
from array import array
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import BinaryIO

from worker.files.errors import FailureCode, Refusal, RefusedFileError, RejectCode, UploadError
from worker.files.limits import Limits, ReadMeter, SafePoint
from worker.ingest.members import Member
from worker.ingest.zip_checks import (
    FLAG_ENCRYPTED,
    EndRecord,
    check_directory_place,
    data_starts,
    find_end_record,
    has_data_behind_end,
)
from worker.ingest.zip_directory import Directory, Entry
from worker.ingest.zip_member import MemberReader

_METHODS = frozenset({zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED})
_MAX_DIRECTORY_BYTES_PER_FILE = 1024
_DAMAGE = (zipfile.BadZipFile, zlib.error, EOFError)
_FLAG_CHANGES = 0x20
_ENCRYPTED = FLAG_ENCRYPTED | 0x40
"""By either way that there is."""


class ZipArchive:
    """A zip file whose headers agree with each other."""

    def __init__(self, file: BinaryIO, limits: Limits, safe_point: SafePoint) -> None:
        """Read and check the table of contents."""
        end = _end_record(file, limits)
        self._max_file_bytes = limits.max_file_bytes
        self._file = file
        try:
            self._directory = Directory(file, end, safe_point)
            self._starts = self._data_starts(end, safe_point)
        except ValueError as error:
            detail = f"The zip's table of contents cannot be read: {error}."
            raise UploadError(FailureCode.CORRUPT_ARCHIVE, detail) from error

    @property
    def members(self) -> Iterator[Member]:
        """All that are no folders, made anew each time."""
        for key, entry in enumerate(self._directory):
            if not entry.orig_filename.endswith("/"):
                yield Member(entry.name, key, entry.file_size, self._refusal(entry))

    def member(self, key: int) -> Member:
        """Return the one of this key."""
        entry = self._directory[key]
        return Member(entry.name, key, entry.file_size, self._refusal(entry))

    def read(self, member: Member, meter: ReadMeter) -> bytes:
        """Unpack one member into memory."""
        if member.refusal is not None:
            raise RefusedFileError(*member.refusal)
        try:
            data = self._reader(member).read(member.num_bytes)
        except _DAMAGE as error:
            raise _damaged(error) from error
        meter.add(len(data))
        return data

    @contextmanager
    def open(self, member: Member) -> Iterator[Callable[[int], bytes]]:
        """Give what unpacks a member of any size, piece by piece."""
        if member.refusal is not None and member.refusal.code is not RejectCode.FILE_TOO_LARGE:
            raise RefusedFileError(*member.refusal)
        try:
            yield self._reader(member).read
        except _DAMAGE as error:
            raise _damaged(error) from error

    def _data_starts(self, end: EndRecord, safe_point: SafePoint) -> Sequence[int]:
        """Check every entry; return where its packed data begin."""
        order = self._directory.in_file_order()
        entries = map(self._directory.__getitem__, order)
        found = array("q", bytes(8 * len(order)))
        for key, start in zip(
            order, data_starts(self._file, entries, end, safe_point), strict=True
        ):
            found[key] = start
        return found

    def _reader(self, member: Member) -> MemberReader:
        return MemberReader(self._file, self._directory[member.key], self._starts[member.key])

    def _refusal(self, entry: Entry) -> Refusal | None:
        kind = stat.S_IFMT(entry.external_attr >> 16)  # zero from systems without Unix modes
        if kind not in {0, stat.S_IFREG}:
            return Refusal(RejectCode.NOT_A_REGULAR_FILE, "A link or a device.")
        if entry.flag_bits & _ENCRYPTED:
            return Refusal(RejectCode.ENCRYPTED, "Protected by a password.")
        if entry.flag_bits & _FLAG_CHANGES:
            detail = "Packed as changes to another file."
            return Refusal(RejectCode.UNSUPPORTED_COMPRESSION, detail)
        if entry.compress_type not in _METHODS:
            return Refusal(
                RejectCode.UNSUPPORTED_COMPRESSION,
                f"Packed by method {entry.compress_type}; only 'stored' and 'deflate' are read.",
            )
        return _too_large(self._max_file_bytes) if entry.file_size > self._max_file_bytes else None


def _end_record(file: BinaryIO, limits: Limits) -> EndRecord:
    end = find_end_record(file)
    if end is None and has_data_behind_end(file):
        raise UploadError(FailureCode.SUSPICIOUS_ARCHIVE, "Data follow the end of the zip.")
    if end is None:
        raise UploadError(
            FailureCode.TRUNCATED_ARCHIVE, "The zip has no end record: part of it is missing."
        )
    check_directory_place(end)
    if end.num_entries > limits.max_files or (
        # read in one piece by the standard library, whatever the number of entries claims
        end.directory_bytes > limits.max_files * _MAX_DIRECTORY_BYTES_PER_FILE
    ):
        raise UploadError(
            FailureCode.TOO_MANY_FILES, f"The archive holds more than {limits.max_files:,} files."
        )
    return end


def _damaged(error: Exception) -> RefusedFileError:
    return RefusedFileError(RejectCode.UNREADABLE_MEMBER, f"The packed data are damaged: {error}.")


def _too_large(max_bytes: int) -> Refusal:
    return Refusal(RejectCode.FILE_TOO_LARGE, f"Larger than {max_bytes:,} bytes.")
