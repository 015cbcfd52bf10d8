"""Reading tables from CSV, JSON lines, JSON and Parquet files, within bounds."""

import csv
import io
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from typing import Any

from worker.files.errors import UnreadableDataError
from worker.files.parquet import ParquetTable, naming_damage
from worker.stages.ingest.columns import (
    LABEL_NAMES,
    class_names_of,
    features_of,
    means_other_than_label,
)
from worker.stages.ingest.label_studio import is_export, questions, tasks_as_records

_MAX_COLUMNS = 1000
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "\x00")
_MAX_CELL_CHARACTERS = 64 * 1024
_MAX_HEADER_CHARACTERS = 256 * 1024
_MAX_PARQUET_BYTES = 512 * 1024**2
_BATCH_ROWS = 10_000
_HEAD_ROWS = 1000
"""Rows of JSON in which columns are looked for."""
_LAST = len(LABEL_NAMES)
_DELIMITERS = ",;\t"

Record = Mapping[str, Any]
_Rows = Iterator[tuple[int, Record]]


class TableError(Exception):
    """The table cannot be read; the text says where and why."""


@dataclass(frozen=True, slots=True)
class Records:
    """A table whose rows are read on iteration."""

    columns: list[str]
    rows: Iterable[tuple[int, Record]]
    """Row numbers as an editor shows them, and the cells by column."""
    names_are_enough: bool = False
    questions: Sequence[str] = ()
    """Columns of labels; the first is taken if the user names none."""


def read_csv(data: bytes) -> Records:
    """Read comma, semicolon or tab separated text with a header."""
    text = _decoded(data)
    head = text[:_MAX_HEADER_CHARACTERS].partition("\n")[0]
    delimiter = max(_DELIMITERS, key=head.count)
    if head.count(delimiter) >= _MAX_COLUMNS:
        raise TableError(f"more than {_MAX_COLUMNS:,} columns")
    csv.field_size_limit(_MAX_CELL_CHARACTERS)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    columns = _csv_row(reader)
    if columns is None:
        raise TableError("no header")
    return Records(columns, _csv_rows(reader, columns))


def _csv_rows(reader: Any, columns: list[str]) -> Iterator[tuple[int, Record]]:
    while (cells := _csv_row(reader)) is not None:
        if not cells:
            continue
        if len(cells) != len(columns):
            raise TableError(f"row {reader.line_num} has {len(cells)} cells, not {len(columns)}")
        yield reader.line_num, dict(zip(columns, map(_unguarded, cells), strict=True))


def _unguarded(cell: str) -> str:
    """Return a cell without the apostrophe that keeps spreadsheets from running it (CWE-1236)."""
    return cell[1:] if cell[:1] == "'" and cell[1:].startswith(_FORMULA_STARTS) else cell


def _csv_row(reader: Any) -> list[str] | None:
    try:
        row: list[str] | None = next(reader, None)
    except csv.Error as error:
        raise TableError(f"row {reader.line_num}: {error}") from error
    return row


def read_json_lines(data: bytes) -> Records:
    """Read one JSON object a line."""
    lines = enumerate(_decoded(data).split("\n"), start=1)
    records = ((number, _json_object(line, number)) for number, line in lines if line.strip())
    head, rest = _split_head(records)
    if not head:
        raise TableError("no rows")
    return Records(_columns_of(record for _, record in head), chain(head, rest))


def _split_head(records: _Rows) -> tuple[list[tuple[int, Record]], _Rows]:
    """Return the first rows and the others; an error is raised in the place of its row."""
    head: list[tuple[int, Record]] = []
    try:
        for record in islice(records, _HEAD_ROWS):
            head.append(record)  # noqa: PERF402 - a fault must not lose those before it
    except TableError as error:
        if not head:
            raise
        return head, _raising(error)
    return head, records


def _raising(error: TableError) -> _Rows:
    yield from ()
    raise error


def _columns_of(records: Iterable[Record]) -> list[str]:
    """Return the columns of all rows; a row may lack empty cells."""
    return list(dict.fromkeys(chain.from_iterable(records)))


def _json_object(line: str, number: int) -> Record:
    value = _json(line, f"row {number} is no JSON")
    if not isinstance(value, dict):
        raise TableError(f"row {number} is no JSON object")
    return value


def read_json(data: bytes) -> Records | None:
    """Read a list of JSON objects, or an export of Label Studio; None where it is neither."""
    value = _json(_decoded(data), "it is no JSON")
    if (
        not isinstance(value, list)
        or not all(isinstance(item, dict) for item in value)
        or not value
    ):
        return None
    if is_export(value):
        return _tasks(value)
    columns = _columns_of(islice(value, _HEAD_ROWS))
    return Records(columns, enumerate(value, start=1), names_are_enough=True)


def _tasks(tasks: list[Mapping[str, Any]]) -> Records:
    """Read an export of Label Studio; each question of it can be named as the column of labels."""
    asked = [name for name in questions(tasks) if not means_other_than_label(name)]
    asked.sort(key=lambda name: LABEL_NAMES.index(name) if name in LABEL_NAMES else _LAST)
    return Records(
        list(dict.fromkeys(["path", "label", *asked])),
        enumerate(tasks_as_records(tasks, asked), start=1),
        names_are_enough=True,
        questions=asked,
    )


def read_parquet(data: bytes) -> Records | None:
    """Read a table without images; None where it is larger than labels can be."""
    try:
        with naming_damage():
            table = ParquetTable(io.BytesIO(data))
            num_bytes = sum(group.total_byte_size for group in table.row_groups())
    except UnreadableDataError as error:
        raise TableError(error.detail) from error
    if num_bytes > _MAX_PARQUET_BYTES:
        return None
    return Records(list(table.schema.names), _parquet_rows(table))


def _parquet_rows(table: ParquetTable) -> Iterator[tuple[int, Record]]:
    number = 0
    features = features_of(table.schema)
    names = {column: class_names_of(features, column) for column in features}
    named = {column: of for column, of in names.items() if of is not None}
    try:
        with naming_damage():
            for batch in table.batches(_BATCH_ROWS):
                for record in batch.to_pylist():
                    number += 1
                    yield number, record | _class_names(record, named)
    except UnreadableDataError as error:
        raise TableError(f"row {number + 1}: {error.detail}") from error


def _class_names(record: Record, named: Mapping[str, list[str]]) -> dict[str, str | None]:
    """Return the names of the classes whose numbers a row holds; Hugging Face has -1 for none."""
    numbers = {column: record.get(column) for column in named}
    return {
        column: named[column][number] if 0 <= number < len(named[column]) else None
        for column, number in numbers.items()
        if isinstance(number, int)
    }


def _decoded(data: bytes) -> str:
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        row = data.count(b"\n", 0, error.start) + 1
        raise TableError(f"row {row} is not UTF-8") from error
    if "\0" in text:
        raise TableError(f"row {text.count(chr(10), 0, text.index(chr(0))) + 1} holds a NUL")
    return text


def _json(text: str, otherwise: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise TableError(otherwise) from error


READERS: Mapping[str, Callable[[bytes], Records | None]] = {
    "csv": read_csv,
    "tsv": read_csv,
    "jsonl": read_json_lines,
    "ndjson": read_json_lines,
    "json": read_json,
    "parquet": read_parquet,
}
"""By the ending of the file's name: text has no signature."""
