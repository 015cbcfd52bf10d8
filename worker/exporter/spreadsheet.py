"""CSV that a spreadsheet can open without running anything (CWE-1236)."""

import csv
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TextIO

Cell = str | int | float | bool | None
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "\x00")


def harmless(text: str) -> str:
    """Return a text such that no spreadsheet takes it for a formula."""
    return f"'{text}" if text.startswith(_FORMULA_STARTS) else text


def harmless_path(path: str) -> str:
    """Do the same to a path, which must still lead to its file."""
    return f"./{path}" if path.startswith(_FORMULA_STARTS) else path


class CsvWriter:
    """Writes a header, then rows; texts are made harmless, numbers stay numbers."""

    def __init__(self, file: TextIO, columns: Sequence[str]) -> None:
        """Write the header."""
        self._columns = columns
        self._writer = csv.writer(file, lineterminator="\n")
        self._writer.writerow(columns)

    def write(self, row: Mapping[str, Cell]) -> None:
        """Write the columns of a row; it may have more."""
        self._writer.writerow([_written(row[name]) for name in self._columns])


def write_csv(target: Path, columns: Sequence[str], rows: Iterable[Mapping[str, Cell]]) -> None:
    """Write a whole table."""
    with open_csv(target) as file:
        writer = CsvWriter(file, columns)
        for row in rows:
            writer.write(row)


def open_csv(target: Path) -> TextIO:
    """Open a file to write a table into."""
    return target.open("w", encoding="utf-8", newline="")


def _written(value: Cell) -> Cell:
    match value:
        case bool():
            return "true" if value else "false"
        case str():
            return harmless(value)
        case _:
            return value
