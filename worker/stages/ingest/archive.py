"""Opening an upload of any kind; the kind is told from the content, not from the name."""

import tarfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from enum import StrEnum
from pathlib import Path
from typing import BinaryIO

from worker.files.errors import FailureCode, UploadError
from worker.files.limits import Limits, ReadMeter, SafePoint
from worker.files.magic_bytes import GZIP, PARQUET, ZIP_END, ZIP_ENTRY, ZSTD, archive_kind
from worker.files.members import FileArchive, Spool
from worker.files.tar import TarArchive, is_tar_header, unpacked_tar
from worker.files.zip import ZipArchive, has_end_record
from worker.stages.ingest.array_rows import ArrayRows, holds_arrays
from worker.stages.ingest.columns import Columns
from worker.stages.ingest.layout import RowArchive, Source
from worker.stages.ingest.parquet_rows import ImageTable, ParquetRows, image_tables


class _Kind(StrEnum):
    ZIP = "zip"
    TAR = "tar"
    GZIP = "gzip"
    ZSTD = "zstd"
    PARQUET = "Parquet"


@contextmanager
def open_archive(
    path: Path,
    limits: Limits,
    columns: Columns,
    *,
    name: str,
    scratch: Path,
    safe_point: SafePoint,
) -> Iterator[Source]:
    """Open an archive, an npz or a Parquet file; what has to be unpacked first goes to `scratch`.

    `name` is the upload's name in messages.

    Raises:
        UploadError: The format is not read, the file is damaged, or a limit is exceeded.
    """
    meter = ReadMeter(limits, archive_bytes=path.stat().st_size)
    with path.open("rb") as file, ExitStack() as stack:
        kind = _recognise(file)
        if kind is _Kind.PARQUET:
            yield ParquetRows([ImageTable(name, file, columns)], limits, safe_point)
            return
        files = _open_files(kind, file, limits, safe_point, stack, scratch, meter)
        spool = Spool(stack, scratch, meter, safe_point)
        yield _rows_inside(files, limits, spool, columns) or files


def _open_files(
    kind: _Kind,
    file: BinaryIO,
    limits: Limits,
    safe_point: SafePoint,
    stack: ExitStack,
    scratch: Path,
    meter: ReadMeter,
) -> FileArchive:
    bounds = {"max_files": limits.max_files, "max_file_bytes": limits.max_file_bytes}
    if kind is _Kind.ZIP:
        return ZipArchive(file, safe_point, **bounds)
    if kind is not _Kind.TAR:
        file = stack.enter_context(unpacked_tar(file, scratch, meter, safe_point))
    return TarArchive(file, safe_point, **bounds)


def _rows_inside(
    files: FileArchive, limits: Limits, spool: Spool, columns: Columns
) -> RowArchive | None:
    """Return the rows of an archive of arrays or of tables with images; None for any other."""
    if holds_arrays(files.members):
        columns.require_in({})
        return ArrayRows(files, limits, spool)
    tables = image_tables(files, spool, columns)
    return ParquetRows(tables, limits, spool.safe_point) if tables else None


def _recognise(file: BinaryIO) -> _Kind:
    head = file.read(tarfile.BLOCKSIZE)
    is_zip = head.startswith((ZIP_ENTRY, ZIP_END)) or has_end_record(file)
    kinds = [
        kind
        for kind, found in (
            (_Kind.ZIP, is_zip),
            (_Kind.TAR, is_tar_header(head)),
            (_Kind.GZIP, head.startswith(GZIP)),
            (_Kind.ZSTD, head.startswith(ZSTD)),
            (_Kind.PARQUET, head.startswith(PARQUET)),
        )
        if found
    ]
    if len(kinds) > 1:
        raise UploadError(
            FailureCode.SUSPICIOUS_ARCHIVE, f"The file is both a {kinds[0]} and a {kinds[1]} file."
        )
    if not kinds:
        raise UploadError(FailureCode.UNKNOWN_ARCHIVE, _unknown(head))
    return kinds[0]


def _unknown(head: bytes) -> str:
    wanted = "Upload a zip, tar, tar.gz or tar.zst, an npz, or a Parquet file."
    if not head:
        return f"The file is empty. {wanted}"
    if kind := archive_kind(head):
        return f"{kind} is not supported. {wanted}"
    return f"Its format is not known. {wanted}"
