"""Time, in one place: UTC for people, database seconds for leases."""

from datetime import UTC, datetime

from sqlalchemy import Float
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement


def utc_now() -> datetime:
    """Return the current time, aware, in UTC."""
    return datetime.now(UTC)


class database_seconds(FunctionElement[float]):  # noqa: N801 - reads as the SQL function it is
    """Seconds since 1970 by the database's clock, the only clock that leases may compare."""

    type = Float()
    inherit_cache = True


@compiles(database_seconds, "sqlite")
def _sqlite(_element: database_seconds, _compiler: SQLCompiler, **_kwargs: object) -> str:
    return "((julianday('now') - 2440587.5) * 86400.0)"


@compiles(database_seconds, "postgresql")
def _postgresql(_element: database_seconds, _compiler: SQLCompiler, **_kwargs: object) -> str:
    # clock_timestamp() moves on inside a transaction, now() does not.
    return "extract(epoch from clock_timestamp())::float8"
