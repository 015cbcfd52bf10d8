"""Many rows at once: COPY on PostgreSQL, prepared batches on SQLite."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, TypeVar

from sqlalchemy import JSON, Dialect, Table
from sqlalchemy.dialects import postgresql
from sqlalchemy.orm import Session
from sqlalchemy.types import TypeEngine

ROWS_PER_TRANSACTION = 50_000
"""So that a long write never keeps the others out of SQLite for long."""

T = TypeVar("T")


def batches(items: Iterable[T], size: int = ROWS_PER_TRANSACTION) -> Iterator[list[T]]:
    """Cut an iterable of any length into lists of at most `size`."""
    iterator = iter(items)
    while batch := list(islice(iterator, size)):
        yield batch


def insert_rows(session: Session, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert rows that all have the same columns; others get what the database puts there."""
    if not rows:
        return
    if session.get_bind().dialect.name == "postgresql":
        _copy(session, table, rows)
    else:
        _insert_at_once(session, table, rows)


def insert_missing(session: Session, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert the rows whose primary key is not there yet, also against parallel writers.

    As for `insert_rows`, all have the same columns.
    """
    if not rows:
        return
    if session.get_bind().dialect.name == "postgresql":
        statement = postgresql.insert(table).on_conflict_do_nothing()
        session.execute(statement, [dict(row) for row in rows])
    else:
        _insert_at_once(session, table, rows, behind="ON CONFLICT DO NOTHING")


def _insert_at_once(
    session: Session, table: Table, rows: Sequence[Mapping[str, Any]], *, behind: str = ""
) -> None:
    """Hand the driver all rows: through SQLAlchemy's parameters each takes three times as long."""
    connection = session.connection()
    columns = [
        _for_driver(table.columns[name].type, connection.dialect, [row[name] for row in rows])
        for name in rows[0]
    ]
    names = ", ".join(f'"{name}"' for name in rows[0])
    marks = ", ".join("?" * len(columns))
    statement = f'INSERT INTO "{table.name}" ({names}) VALUES ({marks}) {behind}'  # noqa: S608 - our own names
    connection.exec_driver_sql(statement, list(zip(*columns, strict=True)))


def _for_driver(kind: TypeEngine[Any], dialect: Dialect, values: list[Any]) -> Iterable[Any]:
    convert = kind.dialect_impl(dialect).bind_processor(dialect)
    return values if convert is None else map(convert, values)


def _copy(session: Session, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
    columns = [table.columns[name] for name in rows[0]]
    is_json = [isinstance(column.type, JSON) for column in columns]
    names = ", ".join(f'"{column.name}"' for column in columns)
    cursor = session.connection().connection.cursor()
    with cursor.copy(f'COPY "{table.name}" ({names}) FROM STDIN') as copy:
        for row in rows:
            copy.write_row(
                [
                    json.dumps(value) if as_json and value is not None else value
                    for value, as_json in zip(row.values(), is_json, strict=True)
                ]
            )
