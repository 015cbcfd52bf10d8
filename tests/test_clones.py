"""Nothing of one test is left in the database of another, though PostgreSQL's is the same."""

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import pytest

from app.core.db import Database, make_engine
from tests.support.clones import Clones
from tests.support.tenants import fill_every_table

_ADD_TENANTS = """
    INSERT INTO tenants (id, name, created_at)
    SELECT gen_random_uuid(), 'tenant ' || i, now() FROM generate_series(1, {number}) AS i
"""


@pytest.fixture
def clones(postgres_server: str, postgres_template: str) -> Iterator[Clones]:
    clones = Clones(postgres_server, postgres_template)
    yield clones
    clones.close()


@contextmanager
def _connected(clones: Clones) -> Iterator["psycopg.Connection[tuple[int | str, ...]]"]:
    with clones.one() as url, psycopg.connect(url, autocommit=True) as connection:
        yield connection


def _identity(connection: "psycopg.Connection[tuple[int | str, ...]]") -> int | str:
    """Stays when a database gets another name."""
    query = "SELECT oid FROM pg_database WHERE datname = current_database()"
    return connection.execute(query).fetchall()[0][0]


def test_every_table_is_emptied(clones: Clones) -> None:
    with clones.one() as first:
        database = Database(make_engine(first))
        with database.unit_of_work() as session:
            fill_every_table(session, "ours")
        database.dispose()
        with psycopg.connect(first) as connection:
            used = _identity(connection)
    with clones.one() as second, psycopg.connect(second) as connection:
        assert first != second
        assert _identity(connection) == used
        tables = connection.execute(
            "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"
        ).fetchall()
        assert len(tables) > 20
        counts = {
            name: connection.execute(f'SELECT count(*) FROM "{name}"').fetchall()[0][0]  # noqa: S608 - names of ours
            for (name,) in tables
        }
    assert {name for name, count in counts.items() if count} == {"alembic_version"}


def test_who_is_still_connected_is_cut_off(clones: Clones) -> None:
    with clones.one() as url:
        left = psycopg.connect(url)
        left.execute(_ADD_TENANTS.format(number=1))
    with pytest.raises(psycopg.OperationalError):
        left.execute("SELECT 1")
    with _connected(clones) as connection:
        assert connection.execute("SELECT * FROM tenants").fetchall() == []


@pytest.mark.parametrize(
    "change",
    [
        "CREATE TABLE other (id int)",
        "ALTER TABLE tenants ADD other int",
        "ALTER TABLE tenants ALTER name DROP NOT NULL",
        "ALTER TABLE tenants ALTER name TYPE text",
        "ALTER TABLE tenants DROP CONSTRAINT uq_tenants_name",
        "ALTER TABLE api_keys DISABLE ROW LEVEL SECURITY",
        "DROP POLICY tenant_wall ON api_keys",
        _ADD_TENANTS.format(number=2000),
    ],
)
def test_what_was_altered_or_grew_large_is_not_used_again(clones: Clones, change: str) -> None:
    with _connected(clones) as connection:
        altered = _identity(connection)
        connection.execute(change)
    with _connected(clones) as connection:
        assert _identity(connection) != altered
