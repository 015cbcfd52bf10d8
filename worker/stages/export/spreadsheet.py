"""CSV that a spreadsheet can open without running anything (CWE-1236)."""

import csv
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

Cell = str | int | float | bool | None
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "\x00")


def harmless(text: str) -> str:
    """Return a text such that no spreadsheet takes it for a formula."""
    return f"'{text}" if text.startswith(_FORMULA_STARTS) else text


def write_csv(target: Path, columns: Sequence[str], rows: Iterable[Mapping[str, Cell]]) -> None:
    """Write these columns of the rows; texts are made harmless, numbers stay numbers."""
    with target.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows([_written(row[name]) for name in columns] for row in rows)


def _written(value: Cell) -> Cell:
    match value:
        case bool():
            return "true" if value else "false"
        case str():
            return harmless(value)
        case _:
            return value
