"""Parquet files that may be hostile: the footer is bounded, rows are read in batches."""

import struct
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import BinaryIO

import pyarrow as pa
from pyarrow.parquet import FileMetaData, ParquetFile, RowGroupMetaData

from worker.files.errors import UnreadableDataError
from worker.files.magic_bytes import PARQUET
from worker.files.names import printable

_TAIL = struct.Struct("<L4s")
_MAX_FOOTER_BYTES = 64 * 1024**2
_MAX_THRIFT_STRING = 16 * 1024**2
_MAX_THRIFT_CONTAINER = 1_000_000
_BUFFER_BYTES = 1024**2


class ParquetTable:
    """One Parquet file. Callers read it inside `naming_damage`."""

    def __init__(self, file: BinaryIO) -> None:
        """Check the end of the file and read its footer.

        Raises:
            UnreadableDataError: It is no Parquet file, or only a part of one.
        """
        _check_tail(file)
        with naming_damage():
            # One thread and the system's allocator: others reserve gigabytes of addresses.
            pa.set_memory_pool(pa.system_memory_pool())
            pa.set_cpu_count(1)
            pa.set_io_thread_count(1)
            self._file = ParquetFile(
                file,
                memory_map=False,
                pre_buffer=False,
                buffer_size=_BUFFER_BYTES,
                thrift_string_size_limit=_MAX_THRIFT_STRING,
                thrift_container_size_limit=_MAX_THRIFT_CONTAINER,
                arrow_extensions_enabled=False,
            )
            self.schema: pa.Schema = self._file.schema_arrow
            self._metadata: FileMetaData = self._file.metadata
            self.num_rows: int = self._metadata.num_rows

    def row_groups(self) -> Iterator[RowGroupMetaData]:
        """Return what the footer says of each row group."""
        return map(self._metadata.row_group, range(self._metadata.num_row_groups))

    def batches(
        self,
        rows_at_once: int,
        columns: Sequence[str] | None = None,
        *,
        row_group: int | None = None,
    ) -> Iterator[pa.RecordBatch]:
        """Return the rows in order: all columns or some, of all row groups or one."""
        batches: Iterator[pa.RecordBatch] = self._file.iter_batches(
            batch_size=rows_at_once,
            row_groups=None if row_group is None else [row_group],
            columns=columns,
            use_threads=False,
        )
        return batches


@contextmanager
def naming_damage() -> Iterator[None]:
    """Turn errors of damaged files into ours; errors of the disk, which have a number, pass.

    Raises:
        UnreadableDataError: The file is damaged, or a text in it is no UTF-8.
    """
    try:
        yield
    except MemoryError:
        raise
    except (pa.ArrowException, UnicodeDecodeError) as error:
        raise _damaged(error) from error
    except OSError as error:
        if error.errno is not None:
            raise
        raise _damaged(error) from error


def _check_tail(file: BinaryIO) -> None:
    """Refuse a file that is cut off, or whose footer is too large for the memory."""
    num_bytes = file.seek(0, 2)
    file.seek(max(0, num_bytes - _TAIL.size))
    tail = file.read(_TAIL.size)
    if len(tail) < _TAIL.size or not tail.endswith(PARQUET):
        raise UnreadableDataError("the Parquet file has no footer: part of it is missing")
    footer_bytes, _ = _TAIL.unpack(tail)
    if footer_bytes > min(_MAX_FOOTER_BYTES, num_bytes):
        raise UnreadableDataError(f"the Parquet file's footer claims {footer_bytes:,} bytes")
    file.seek(0)


def _damaged(error: Exception) -> UnreadableDataError:
    first_line = printable(str(error).partition("\n")[0])
    return UnreadableDataError(f"the Parquet file is damaged: {first_line}")
