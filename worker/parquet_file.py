"""Opening a Parquet file that is hostile until shown otherwise."""

import struct
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO

import pyarrow as pa
from pyarrow.parquet import ParquetFile

_TAIL = struct.Struct("<L4s")
MAGIC = b"PAR1"
_MAX_FOOTER_BYTES = 64 * 1024**2
_MAX_THRIFT_STRING = 16 * 1024**2
_MAX_THRIFT_CONTAINER = 1_000_000
_BUFFER_BYTES = 1024**2


class DamagedParquetError(Exception):
    """The file cannot be read; the text says why."""


def open_parquet(file: BinaryIO) -> ParquetFile:
    """Check the end of a file and read its footer.

    Raises:
        DamagedParquetError: It is no Parquet file, or only a part of one.
    """
    _check_tail(file)
    with damage_told():
        # One thread and the system's allocator: others reserve gigabytes of addresses in advance.
        pa.set_memory_pool(pa.system_memory_pool())
        pa.set_cpu_count(1)
        pa.set_io_thread_count(1)
        return ParquetFile(
            file,
            memory_map=False,
            pre_buffer=False,
            buffer_size=_BUFFER_BYTES,
            thrift_string_size_limit=_MAX_THRIFT_STRING,
            thrift_container_size_limit=_MAX_THRIFT_CONTAINER,
            arrow_extensions_enabled=False,
        )


@contextmanager
def damage_told() -> Iterator[None]:
    """Tell damage from the disk's own errors, which carry a number.

    Raises:
        DamagedParquetError: What was read inside was damaged.
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
    """Refuse a file that is cut off, or whose footer alone would fill the memory."""
    num_bytes = file.seek(0, 2)
    file.seek(max(0, num_bytes - _TAIL.size))
    tail = file.read(_TAIL.size)
    if len(tail) < _TAIL.size or not tail.endswith(MAGIC):
        raise DamagedParquetError("the Parquet file has no footer: part of it is missing")
    footer_bytes, _ = _TAIL.unpack(tail)
    if footer_bytes > min(_MAX_FOOTER_BYTES, num_bytes):
        raise DamagedParquetError(f"the Parquet file's footer claims {footer_bytes:,} bytes")
    file.seek(0)


def _damaged(error: Exception) -> DamagedParquetError:
    first_line = str(error).partition("\n")[0]
    return DamagedParquetError(f"the Parquet file is damaged: {first_line}")
