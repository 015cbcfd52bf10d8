"""Reading members of a zip by way of the standard library, after our own checks."""

import stat
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import BinaryIO

from worker.ingest.errors import FailureCode, IngestError, Refusal, RefusedFileError, RejectCode
from worker.ingest.limits import Limits, ReadMeter, SafePoint
from worker.ingest.members import Member
from worker.ingest.zip_checks import (
    FLAG_ENCRYPTED,
    FLAG_UTF8,
    EndRecord,
    check_directory_place,
    check_entries,
    find_end_record,
    has_data_behind_end,
)

_METHODS = frozenset({zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED})
_MAX_DIRECTORY_BYTES_PER_FILE = 1024
_DAMAGE = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError)


class ZipArchive:
    """A zip file whose headers agree with each other."""

    def __init__(self, file: BinaryIO, limits: Limits, safe_point: SafePoint) -> None:
        """Read and check the table of contents."""
        end = _end_record(file, limits)
        self._max_file_bytes = limits.max_file_bytes
        self._zip = _open(file)
        entries = self._zip.infolist()
        check_entries(file, entries, end, safe_point)
        self.members = [
            Member(_name(entry), key, entry.file_size, self._refusal(entry))
            for key, entry in enumerate(entries)
            if not entry.orig_filename.endswith("/")
        ]

    def read(self, member: Member, meter: ReadMeter) -> bytes:
        """Unpack one member into memory, never more than one byte beyond the limit."""
        entry = self._zip.filelist[member.key]
        try:
            with self._zip.open(entry) as unpacked:
                data = unpacked.read(self._max_file_bytes + 1)
        except _DAMAGE as error:
            detail = f"The packed data are damaged: {error}."
            raise RefusedFileError(RejectCode.UNREADABLE_MEMBER, detail) from error
        meter.add(len(data))
        if len(data) > self._max_file_bytes:
            raise RefusedFileError(*_too_large(self._max_file_bytes))
        return data

    @contextmanager
    def open(self, member: Member) -> Iterator[Callable[[int], bytes]]:
        """Give what unpacks a member of any size, piece by piece."""
        if member.refusal is not None and member.refusal.code is not RejectCode.FILE_TOO_LARGE:
            raise RefusedFileError(*member.refusal)
        try:
            with self._zip.open(self._zip.filelist[member.key]) as unpacked:
                yield unpacked.read
        except _DAMAGE as error:
            detail = f"The packed data are damaged: {error}."
            raise RefusedFileError(RejectCode.UNREADABLE_MEMBER, detail) from error

    def _refusal(self, entry: zipfile.ZipInfo) -> Refusal | None:
        kind = stat.S_IFMT(entry.external_attr >> 16)  # zero from systems without Unix modes
        if kind not in {0, stat.S_IFREG}:
            return Refusal(RejectCode.NOT_A_REGULAR_FILE, "A link or a device.")
        if entry.flag_bits & FLAG_ENCRYPTED:
            return Refusal(RejectCode.ENCRYPTED, "Protected by a password.")
        if entry.compress_type not in _METHODS:
            return Refusal(
                RejectCode.UNSUPPORTED_COMPRESSION,
                f"Packed by method {entry.compress_type}; only 'stored' and 'deflate' are read.",
            )
        return _too_large(self._max_file_bytes) if entry.file_size > self._max_file_bytes else None


def _end_record(file: BinaryIO, limits: Limits) -> EndRecord:
    end = find_end_record(file)
    if end is None and has_data_behind_end(file):
        raise IngestError(FailureCode.SUSPICIOUS_ARCHIVE, "Data follow the end of the zip.")
    if end is None:
        raise IngestError(
            FailureCode.TRUNCATED_ARCHIVE, "The zip has no end record: part of it is missing."
        )
    check_directory_place(end)
    if end.num_entries > limits.max_files or (
        # read in one piece by the standard library, whatever the number of entries claims
        end.directory_bytes > limits.max_files * _MAX_DIRECTORY_BYTES_PER_FILE
    ):
        raise IngestError(
            FailureCode.TOO_MANY_FILES, f"The archive holds more than {limits.max_files:,} files."
        )
    return end


def _open(file: BinaryIO) -> zipfile.ZipFile:
    file.seek(0)
    try:
        return zipfile.ZipFile(file)
    except (*_DAMAGE, struct.error, ValueError, OverflowError) as error:
        detail = f"The zip's table of contents cannot be read: {error}."
        raise IngestError(FailureCode.CORRUPT_ARCHIVE, detail) from error


def _name(entry: zipfile.ZipInfo) -> str:
    """Return the name, also where a packer wrote UTF-8 without saying so (macOS does)."""
    name = entry.orig_filename  # `filename` is cut at a NUL
    if entry.flag_bits & FLAG_UTF8 or name.isascii():
        return name
    try:
        return name.encode("cp437").decode("utf-8")
    except UnicodeDecodeError:
        return name


def _too_large(max_bytes: int) -> Refusal:
    return Refusal(RejectCode.FILE_TOO_LARGE, f"Larger than {max_bytes:,} bytes.")
