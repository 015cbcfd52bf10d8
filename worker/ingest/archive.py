"""Telling the kinds of archive apart, by what is in the file and not by its name."""

import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import BinaryIO

from worker.ingest.errors import FailureCode, IngestError
from worker.ingest.limits import Limits, ReadMeter, SafePoint
from worker.ingest.members import Archive
from worker.ingest.tar_archive import TarArchive, is_tar_header, unpacked_gzip
from worker.ingest.zip_archive import ZipArchive
from worker.ingest.zip_checks import END_SIGNATURE, LOCAL_SIGNATURE, find_end_record

_GZIP_SIGNATURE = b"\x1f\x8b\x08"
_OTHER_KINDS = {
    b"7z\xbc\xaf\x27\x1c": "7z",
    b"Rar!": "RAR",
    b"BZh": "bzip2",
    b"\xfd7zXZ": "xz",
    b"\x28\xb5\x2f\xfd": "zstd",
}


class _Kind(StrEnum):
    ZIP = "zip"
    TAR = "tar"
    GZIP = "gzip"


@contextmanager
def open_archive(
    path: Path, limits: Limits, *, scratch: Path, safe_point: SafePoint
) -> Iterator[Archive]:
    """Open a zip, tar or tar.gz; a compressed tar is unpacked below `scratch`.

    Raises:
        IngestError: It is none of these, damaged, or too much.
    """
    with path.open("rb") as file:
        kind = _recognise(file)
        if kind is _Kind.ZIP:
            yield ZipArchive(file, limits, safe_point)
        elif kind is _Kind.TAR:
            yield TarArchive(file, limits, safe_point)
        else:
            meter = ReadMeter(limits, archive_bytes=path.stat().st_size)
            with unpacked_gzip(file, scratch, meter, safe_point) as unpacked:
                if not is_tar_header(unpacked.read(tarfile.BLOCKSIZE)):
                    raise IngestError(
                        FailureCode.UNKNOWN_ARCHIVE, "The gzip file does not hold a tar archive."
                    )
                yield TarArchive(unpacked, limits, safe_point)


def _recognise(file: BinaryIO) -> _Kind:
    head = file.read(tarfile.BLOCKSIZE)
    is_zip = head.startswith((LOCAL_SIGNATURE, END_SIGNATURE)) or find_end_record(file) is not None
    kinds = [
        kind
        for kind, found in (
            (_Kind.ZIP, is_zip),
            (_Kind.TAR, is_tar_header(head)),
            (_Kind.GZIP, head.startswith(_GZIP_SIGNATURE)),
        )
        if found
    ]
    if len(kinds) > 1:
        raise IngestError(
            FailureCode.SUSPICIOUS_ARCHIVE,
            f"The file is both a {kinds[0]} and a {kinds[1]} archive.",
        )
    if not kinds:
        raise IngestError(FailureCode.UNKNOWN_ARCHIVE, _unknown(head))
    return kinds[0]


def _unknown(head: bytes) -> str:
    wanted = "Upload class folders packed as zip, tar or tar.gz."
    if not head:
        return f"The file is empty. {wanted}"
    for signature, name in _OTHER_KINDS.items():
        if head.startswith(signature):
            return f"{name} is not supported. {wanted}"
    return f"The file is no archive. {wanted}"
