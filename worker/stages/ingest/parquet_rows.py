"""Parquet files with images, as Hugging Face writes them: each row is a sample."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import chain
from pathlib import PurePosixPath
from typing import Any, BinaryIO

import pyarrow as pa
from typing_extensions import override

from worker.files.errors import (
    FailureCode,
    RefusedFileError,
    RejectCode,
    UnreadableDataError,
    UploadError,
)
from worker.files.limits import Limits, ReadMeter, SafePoint
from worker.files.members import FileArchive, Member, Spool
from worker.files.names import clean_path, listed, printable
from worker.files.parquet import ParquetTable, naming_damage
from worker.stages.ingest.columns import Columns, ImageColumns, find_image_columns
from worker.stages.ingest.labelling import read_label
from worker.stages.ingest.layout import (
    TRAIN,
    Candidate,
    Place,
    RowArchive,
    Selection,
    reject,
    split_of,
)

_MAX_GROUP_BYTES = 1024**3
"""A page of a row group may be as large as the group, and is unpacked whole."""
_BATCH_ROWS = 32
_NAME_BATCH_ROWS = 10_000
_SHIFT = 40
"""The bits of a member's key from this one on are its table, the lower ones its row."""


class ParquetRows(RowArchive):
    """The rows of one or several tables of the same kind."""

    def __init__(
        self, tables: Sequence["ImageTable"], limits: Limits, safe_point: SafePoint
    ) -> None:
        """Take tables whose footers were read.

        Raises:
            UploadError: They hold too many rows.
        """
        self._max_file_bytes = limits.max_file_bytes
        self._safe_point = safe_point
        self._tables = tables
        num_rows = sum(table.num_rows for table in self._tables)
        if num_rows > limits.max_files:
            detail = f"The tables hold {num_rows:,} rows; at most {limits.max_files:,} are taken."
            raise UploadError(FailureCode.TOO_MANY_FILES, detail)

    @override
    def select(self) -> Selection:
        """Return one candidate per row, with the path that class folders would give it."""
        selection, seen, candidates = Selection(), Counter[str](), []
        selection.warnings = _once(table.warnings for table in self._tables)
        for number, table in enumerate(self._tables):
            for row, record in enumerate(table.names(self._safe_point)):
                key = number << _SHIFT | row
                try:
                    place = table.place(record, row)
                except RefusedFileError as error:
                    selection.rejections.append(reject(f"{table.name}#{row}", error))
                    continue
                path = f"{place.split}/{place.class_name}/{place.file}"
                seen[path] += 1
                if seen[path] > 1:
                    path = f"{path}#{key}"
                candidates.append(Candidate(Member(path, key, 0), path, place))
        selection.candidates = candidates
        return selection

    @override
    def read(self, member: Member, meter: ReadMeter) -> bytes:
        table = self._tables[member.key >> _SHIFT]
        data = table.image(member.key & ((1 << _SHIFT) - 1))
        if data is None:
            raise RefusedFileError(
                RejectCode.NOT_AN_IMAGE,
                "The row holds no bytes of an image. If it has a path instead, pack the table "
                "beside the files.",
            )
        meter.add(len(data))
        if len(data) > self._max_file_bytes:
            detail = f"Larger than {self._max_file_bytes:,} bytes."
            raise RefusedFileError(RejectCode.FILE_TOO_LARGE, detail)
        return data


class ImageTable:
    """One file."""

    def __init__(self, name: str, file: BinaryIO, wanted: Columns, *, split: str = TRAIN) -> None:
        """Read the footer; `split` is the split of rows that name none.

        Raises:
            UploadError: The table is damaged, or has no images with labels.
        """
        self.name = printable(name)
        with _naming(self.name):
            self._table = ParquetTable(file)
            columns = find_image_columns(self._table.schema, wanted, self.name)
        self.num_rows = self._table.num_rows
        if columns is None:
            found = listed(self._table.schema.names) or "none"
            raise _invalid(self.name, f"no column of images and one of labels; found: {found}")
        self._columns = columns
        self.warnings = columns.warnings
        self._split = split
        self._starts = self._checked_groups()
        self._batches: Iterator[tuple[int, list[bytes | None]]] = iter(())
        self._first, self._batch = 0, list[bytes | None]()
        self._group = -1

    def names(self, safe_point: SafePoint) -> Iterator[dict[str, Any]]:
        """Yield the rows without the images."""
        leaves = self._columns.other_leaves
        with _naming(self.name):
            for batch in self._table.batches(_NAME_BATCH_ROWS, leaves):
                safe_point()
                yield from batch.to_pylist()

    def place(self, record: Mapping[str, Any], row: int) -> Place:
        """Return split, class and file name of a row.

        Raises:
            RefusedFileError: The row has no usable label or split.
        """
        columns = self._columns
        label, fault = read_label(self._named(record.get(columns.label)))
        if fault is not None:
            raise RefusedFileError(fault.code, f"Row {row} {fault.detail}.")
        split = self._split
        if columns.split is not None and record.get(columns.split):
            split = split_of(str(record[columns.split])) or ""
            if not split:
                raise RefusedFileError(RejectCode.UNKNOWN_SPLIT, f"Row {row} has another split.")
        path = columns.file_name(record)
        file = PurePosixPath(clean_path(path)).name if path else f"{row:08d}"
        return Place(split, label, file)

    def image(self, row: int) -> bytes | None:
        """Return the bytes of one image; fast when rows are asked for in order."""
        if not self._first <= row < self._first + len(self._batch):
            self._seek(row)
        return self._batch[row - self._first]

    def _seek(self, row: int) -> None:
        group = max(g for g, start in enumerate(self._starts) if start <= row)
        if group != self._group or row < self._first:
            self._group, self._batches = group, self._read_group(group)
        with _naming(self.name):
            for first, batch in self._batches:
                self._first, self._batch = first, batch
                if row < first + len(batch):
                    return
        raise _invalid(self.name, f"row {row} is missing")

    def _read_group(self, group: int) -> Iterator[tuple[int, list[bytes | None]]]:
        first = self._starts[group]
        leaf = self._columns.bytes_leaf
        for batch in self._table.batches(_BATCH_ROWS, [leaf], row_group=group):
            column = batch.column(0)
            cells = column.field("bytes") if pa.types.is_struct(column.type) else column
            yield first, cells.to_pylist()
            first += batch.num_rows

    def _named(self, value: Any) -> Any:
        """Return the class name for a number, where the table has class names."""
        names = self._columns.class_names
        if names is None or not isinstance(value, int):
            return value
        if not 0 <= value < len(names):
            detail = f"The label {value} is not from 0 to {len(names) - 1}."
            raise RefusedFileError(RejectCode.INVALID_LABEL, detail)
        return names[value]

    def _checked_groups(self) -> list[int]:
        """Return the first row of each row group; refuse a group that is too large."""
        starts, first = [], 0
        for group in self._table.row_groups():
            if group.total_byte_size > _MAX_GROUP_BYTES:
                raise _invalid(
                    self.name,
                    f"a row group unpacks to {group.total_byte_size:,} bytes; write smaller ones",
                )
            starts.append(first)
            first += group.num_rows
        return starts


def image_tables(files: FileArchive, spool: Spool, wanted: Columns) -> list[ImageTable]:
    """Return the tables of an archive that hold images.

    Raises:
        UploadError: A limit is exceeded, or a table lacks a column that the user named.
    """
    tables = {}
    for member in files.members:
        if member.name.lower().endswith(".parquet"):
            try:
                name = clean_path(member.name)
                with files.open(member) as read:
                    file = spool.fill(read)
                table = ParquetTable(file)
            except (RefusedFileError, UnreadableDataError):
                continue  # reported as a file that is no image
            columns = find_image_columns(table.schema, wanted, printable(name))
            if columns is not None and _has_bytes(table, columns):
                tables[name] = ImageTable(name, file, wanted, split=_split_of_file(name))
    return [table for _, table in sorted(tables.items())]


def _has_bytes(table: ParquetTable, columns: ImageColumns) -> bool:
    """Tell from the footer whether the table holds images, not only paths of files."""
    for group in table.row_groups():
        for leaf in map(group.column, range(group.num_columns)):
            if leaf.path_in_schema == columns.bytes_leaf:
                counts = leaf.statistics
                if (
                    counts is None
                    or not counts.has_null_count
                    or counts.null_count < group.num_rows
                ):
                    return True
    return False


def _split_of_file(name: str) -> str:
    """Read the split from names such as `data/test-00000-of-00001.parquet`."""
    parts = [*PurePosixPath(name).parts[:-1], PurePosixPath(name).name.split("-")[0].split(".")[0]]
    return next((split for split in map(split_of, parts) if split), TRAIN)


def _once(texts: Iterable[Sequence[str]]) -> list[str]:
    """Return the different texts; shards of one table have the same."""
    return list(dict.fromkeys(chain.from_iterable(texts)))


@contextmanager
def _naming(name: str) -> Iterator[None]:
    """Add the table's name to errors of damaged files."""
    try:
        with naming_damage():
            yield
    except UnreadableDataError as error:
        raise _invalid(name, error.detail) from error


def _invalid(name: str, detail: str) -> UploadError:
    return UploadError(FailureCode.INVALID_TABLE, f"'{name}': {detail}.")
