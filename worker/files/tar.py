"""Tar archives: the standard library reads the headers, the data are read here.

A tar has no table of contents, so its headers are visited once. A compressed one is unpacked
to an unnamed file first: its members can then be taken in any order, like those of a zip.
"""

import gzip
import os
import tarfile
import tempfile
import zlib
from bisect import bisect_left
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from operator import attrgetter
from pathlib import Path
from typing import BinaryIO

import pyarrow as pa

from worker.files.errors import FailureCode, Refusal, RejectCode, UploadError
from worker.files.limits import ReadMeter, SafePoint
from worker.files.magic_bytes import ZSTD
from worker.files.members import CHUNK_BYTES, Member

_MAX_HEADER_BYTES = 64 * 1024
"""One extended header; tarfile's own parsing is quadratic in it (CVE-2024-6232)."""
_DAMAGE = (tarfile.TarError, ValueError, LookupError, ArithmeticError, RecursionError)
"""What `tarfile` raises on hostile headers."""
_REGULAR = frozenset({tarfile.REGTYPE, tarfile.AREGTYPE})


class _HeaderReader:
    """The file as `tarfile` sees it: each read is bounded.

    tarfile takes sizes from the archive on trust, also negative ones, which on older Pythons
    make it read everything at once or go round for ever (CVE-2025-8194).
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file

    def read(self, num_bytes: int, /) -> bytes:
        if not 0 <= num_bytes <= _MAX_HEADER_BYTES:
            raise tarfile.ReadError(f"a header of {num_bytes} bytes")
        return self._file.read(num_bytes)

    def tell(self) -> int:
        return self._file.tell()

    def seek(self, position: int, /) -> int:
        return self._file.seek(position)

    def write(self, _data: bytes, /) -> int:
        raise NotImplementedError

    def close(self) -> None:
        """Leave the file to its owner."""


class TarArchive:
    """An uncompressed tar file."""

    def __init__(
        self, file: BinaryIO, safe_point: SafePoint, *, max_files: int, max_file_bytes: int
    ) -> None:
        """Visit all headers.

        Raises:
            UploadError: One is damaged, or there are too many.
        """
        self._file = file
        self._max_file_bytes = max_file_bytes
        self.members: list[Member] = []
        for header in _headers(file, safe_point):
            if header.isdir():
                continue
            if len(self.members) == max_files:
                raise UploadError(
                    FailureCode.TOO_MANY_FILES,
                    f"The archive holds more than {max_files:,} files.",
                )
            self.members.append(
                Member(header.name, header.offset_data, header.size, self._refusal(header))
            )

    def member(self, key: int) -> Member:
        """Return the member with this key."""
        return self.members[bisect_left(self.members, key, key=attrgetter("key"))]

    def read(self, member: Member, meter: ReadMeter) -> bytes:
        """Return the bytes of one member."""
        member.require_readable()
        self._file.seek(member.key)
        data = self._file.read(member.num_bytes)
        meter.add(len(data))
        return data

    @contextmanager
    def open(self, member: Member) -> Iterator[Callable[[int], bytes]]:
        """Open a member of any size; the context gives a function that reads the next bytes."""
        member.require_readable(of_any_size=True)
        position, end = member.key, member.key + member.num_bytes

        def read(num_bytes: int) -> bytes:
            nonlocal position
            self._file.seek(position)
            data = self._file.read(min(num_bytes, end - position))
            position += len(data)
            return data

        yield read

    def _refusal(self, header: tarfile.TarInfo) -> Refusal | None:
        if header.type not in _REGULAR or header.issparse():
            return Refusal(RejectCode.NOT_A_REGULAR_FILE, "A link, a device, or a file with holes.")
        if header.size > self._max_file_bytes:
            return Refusal(
                RejectCode.FILE_TOO_LARGE, f"Larger than {self._max_file_bytes:,} bytes."
            )
        return None


def is_tar_header(block: bytes) -> bool:
    """Tell whether a tar may begin with these 512 bytes."""
    if len(block) != tarfile.BLOCKSIZE:
        return False
    if not any(block):
        return True  # the end mark of an empty tar
    try:
        tarfile.TarInfo.frombuf(block, "utf-8", "surrogateescape")
    except _DAMAGE:
        return False
    return True


@contextmanager
def unpacked_tar(
    file: BinaryIO, folder: Path, meter: ReadMeter, safe_point: SafePoint
) -> Iterator[BinaryIO]:
    """Unpack a gzip or zstd file into a temporary file.

    Raises:
        UploadError: The file is damaged, unpacks to too much, or holds no tar.
    """
    with tempfile.TemporaryFile(dir=folder) as unpacked:
        file.seek(0)
        is_zstd = file.read(len(ZSTD)) == ZSTD
        file.seek(0)
        with _damage_told("zstd" if is_zstd else "gzip"):
            packed = (
                pa.CompressedInputStream(file, "zstd") if is_zstd else gzip.GzipFile(fileobj=file)
            )
            with packed:
                while chunk := packed.read(CHUNK_BYTES):
                    safe_point()
                    meter.add(len(chunk))
                    unpacked.write(chunk)
        unpacked.seek(0)
        if not is_tar_header(unpacked.read(tarfile.BLOCKSIZE)):
            kind = "zstd" if is_zstd else "gzip"
            detail = f"The {kind} file does not hold a tar archive."
            raise UploadError(FailureCode.UNKNOWN_ARCHIVE, detail)
        yield unpacked


@contextmanager
def _damage_told(kind: str) -> Iterator[None]:
    try:
        yield
    except EOFError as error:
        raise _cut_off(kind) from error
    except (gzip.BadGzipFile, zlib.error) as error:
        raise _damaged(kind, error) from error
    except OSError as error:
        if error.errno is not None:
            raise  # the disk's own
        raise (_cut_off(kind) if "Truncated" in str(error) else _damaged(kind, error)) from error


def _cut_off(kind: str) -> UploadError:
    return UploadError(
        FailureCode.TRUNCATED_ARCHIVE, f"The {kind} file ends too early: part of it is missing."
    )


def _damaged(kind: str, error: Exception) -> UploadError:
    return UploadError(FailureCode.CORRUPT_ARCHIVE, f"The {kind} file is damaged: {error}.")


def _headers(file: BinaryIO, safe_point: SafePoint) -> Iterator[tarfile.TarInfo]:
    """Yield one header per entry, up to the end mark."""
    file_bytes = file.seek(0, os.SEEK_END)
    tar = _open_tar(file)
    position = 0
    while True:
        safe_point()
        file.seek(position)
        block = file.read(tarfile.BLOCKSIZE)
        if len(block) < tarfile.BLOCKSIZE:
            raise _truncated()
        if not any(block):
            break
        file.seek(position)
        header = _next_header(tar, file, file_bytes)
        position = tar.offset
        yield header
    _refuse_trailing_data(file, safe_point)


def _open_tar(file: BinaryIO) -> tarfile.TarFile:
    file.seek(0)
    try:
        return tarfile.TarFile(fileobj=_HeaderReader(file), encoding="utf-8")
    except _DAMAGE as error:
        raise _bad_header(error, file) from error


def _next_header(tar: tarfile.TarFile, file: BinaryIO, file_bytes: int) -> tarfile.TarInfo:
    """Read the header at the file's position, with the extended headers that belong to it."""
    try:
        header = tarfile.TarInfo.fromtarfile(tar)
    except _DAMAGE as error:
        raise _bad_header(error, file) from error
    if tar.offset > file_bytes:
        raise _truncated()
    data_end = header.offset_data + (0 if header.issparse() else header.size)
    if tar.offset < file.tell() or (header.isreg() and not file.tell() <= data_end <= tar.offset):
        raise _corrupt("a size that does not fit the file")
    return header


def _refuse_trailing_data(file: BinaryIO, safe_point: SafePoint) -> None:
    while chunk := file.read(CHUNK_BYTES):
        safe_point()
        if any(chunk):
            raise UploadError(FailureCode.SUSPICIOUS_ARCHIVE, "Data follow the end of the tar.")


def _bad_header(error: Exception, file: BinaryIO) -> UploadError:
    is_at_end = not file.read(1)
    return _truncated() if is_at_end else _corrupt(error)


def _truncated() -> UploadError:
    return UploadError(
        FailureCode.TRUNCATED_ARCHIVE, "The tar has no end mark: part of it is missing."
    )


def _corrupt(why: object) -> UploadError:
    return UploadError(FailureCode.CORRUPT_ARCHIVE, f"A header of the tar is damaged: {why}.")
