"""CSV that a spreadsheet can open without running anything (CWE-1236)."""

import csv
from collections.abc import Iterable, Mapping, Sequence
from typing import TextIO

Cell = str | int | float | bool | None
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "\x00")


def harmless(text: str) -> str:
    """Return a text such that no spreadsheet takes it for a formula."""
    return f"'{text}" if text.startswith(_FORMULA_STARTS) else text


def harmless_path(path: str) -> str:
    """Do the same to a path, which must still lead to its file."""
    return f"./{path}" if path.startswith(_FORMULA_STARTS) else path


def write_csv(file: TextIO, columns: Sequence[str], rows: Iterable[Mapping[str, Cell]]) -> None:
    """Write a header and rows; texts are made harmless, numbers stay numbers."""
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(columns)
    for row in rows:
        writer.writerow([_written(row[name]) for name in columns])


def _written(value: Cell) -> Cell:
    match value:
        case bool():
            return "true" if value else "false"
        case str():
            return harmless(value)
        case _:
            return value
