"""Many rows at once: COPY on PostgreSQL, prepared batches on SQLite."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice, repeat
from typing import Any, TypeAlias, TypeVar

from pydantic_core import to_json
from sqlalchemy import JSON, Boolean, Column, Dialect, LargeBinary, Table
from sqlalchemy.dialects import postgresql
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

ROWS_PER_TRANSACTION = 50_000
"""So that a long write never keeps the others out of SQLite for long."""

_SQLITE_CACHE_KB = 256 * 1024
_SQLITE_ROWS_AT_ONCE = 500
"""Of these the garbage collector sees none grow old; of 50,000 it looked at each several times."""
_AS_THEY_ARE = (Boolean, LargeBinary)
"""Both drivers know these by themselves."""

Columns: TypeAlias = Mapping[str, Sequence[Any]]
"""Many rows as one list for each column, all of the same length."""

T = TypeVar("T")


def batches(items: Iterable[T], size: int = ROWS_PER_TRANSACTION) -> Iterator[list[T]]:
    """Cut an iterable of any length into lists of at most `size`."""
    iterator = iter(items)
    while batch := list(islice(iterator, size)):
        yield batch


def as_columns(rows: Sequence[Mapping[str, Any]]) -> Columns:
    """Turn rows that all have the same columns."""
    return {name: [row[name] for row in rows] for name in (rows[0] if rows else ())}


def insert_rows(session: Session, table: Table, rows: Columns) -> None:
    """Insert many rows; columns that are missing get the database's own default.

    Column by column: SQLAlchemy's way through each value of each row takes longer than the
    database does.
    """
    if not any(rows.values()):
        return
    if session.get_bind().dialect.name == "postgresql":
        names, written = _for_driver(session, table, rows)
        _copy(session, f'COPY "{table.name}" ({names}) FROM STDIN', written)
    else:
        # Samples are indexed in no order: with the usual 2 MB each page is written many times.
        session.connection().exec_driver_sql(f"PRAGMA cache_size = -{_SQLITE_CACHE_KB}")
        _insert_on_sqlite(session, table, rows)


def insert_missing(session: Session, table: Table, rows: Columns) -> None:
    """Insert the rows whose primary key is not there yet, also against parallel writers."""
    if not any(rows.values()):
        return
    if session.get_bind().dialect.name == "postgresql":
        statement = postgresql.insert(table).on_conflict_do_nothing()
        session.execute(
            statement,
            [dict(zip(rows, values, strict=True)) for values in zip(*rows.values(), strict=True)],
        )
    else:
        _insert_on_sqlite(session, table, rows, behind="ON CONFLICT DO NOTHING")


def _insert_on_sqlite(session: Session, table: Table, rows: Columns, *, behind: str = "") -> None:
    names, written = _for_driver(session, table, rows)
    marks = ", ".join("?" for _ in rows)
    statement = f'INSERT INTO "{table.name}" ({names}) VALUES ({marks}) {behind}'  # noqa: S608 - names of ours
    for some in batches(written, _SQLITE_ROWS_AT_ONCE):
        session.connection().exec_driver_sql(statement, some)


def _for_driver(
    session: Session, table: Table, rows: Columns
) -> tuple[str, Iterable[tuple[Any, ...]]]:
    """Return the quoted names of the columns, and the rows as the driver takes them."""
    dialect = session.get_bind().dialect
    columns = [_written(table.columns[name], values, dialect) for name, values in rows.items()]
    return ", ".join(f'"{name}"' for name in rows), zip(*columns, strict=True)


def _copy(session: Session, statement: str, rows: Iterable[tuple[Any, ...]]) -> None:
    connection = session.connection()
    driver = connection.dialect.loaded_dbapi
    cursor = connection.connection.cursor()
    try:
        with cursor.copy(statement) as copy:
            for row in rows:
                copy.write_row(row)
    except driver.Error as error:
        # SQLAlchemy does not see this statement, and callers know only its errors.
        raise DBAPIError.instance(
            statement, None, error, driver.Error, dialect=connection.dialect
        ) from error


def _written(column: Column[Any], values: Sequence[Any], dialect: Dialect) -> Iterable[Any]:
    """Return the values of a column as the driver takes them."""
    if isinstance(column.type, JSON):
        return (None if value is None else to_json(value).decode() for value in values)
    if isinstance(column.type, _AS_THEY_ARE):
        return values
    process = column.type.dialect_impl(dialect).bind_processor(dialect)
    if process is None:
        return values
    num_rows = len(values)
    if num_rows and values.count(values[0]) == num_rows:
        return repeat(process(values[0]), num_rows)  # such as whose rows they are
    return map(process, values)
