"""PostgreSQL databases like a migrated template, each for one test.

To clone one takes a tenth of a second of two cores, to empty one a few milliseconds: so a clone
that is nothing but used is emptied and given, under another name, to the next test.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from uuid import uuid4

import psycopg

_CATALOGS = (
    "pg_class pg_attribute pg_attrdef pg_constraint pg_index pg_policy pg_proc pg_trigger "
    "alembic_version"
)
_SCHEMA_STAMP = " UNION ALL ".join(
    f"SELECT count(*), max(xmin::text::bigint) FROM {catalog}"  # noqa: S608 - names of ours
    for catalog in _CATALOGS.split()
)
"""Who changes a schema, or the version it is told to have, writes into one of these."""

_LARGEST_TABLE = """
    SELECT coalesce(max(pg_relation_size(oid)), 0) / current_setting('block_size')::int
    FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace
"""
_MAX_PAGES = 10
"""The planner takes a table that was never vacuumed for at least so large."""

_EMPTY = """
    DO $$ DECLARE name text; BEGIN
        SET LOCAL session_replication_role = replica;  -- no foreign key, no trigger
        FOR name IN SELECT oid::regclass FROM pg_class
            WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace
                AND relname <> 'alembic_version' AND pg_relation_size(oid) > 0
        LOOP EXECUTE 'DELETE FROM ' || name; END LOOP;
    END $$
"""


class Clones:
    """The clones of one server.

    Autovacuum must be off: what it learns about the rows of one test would plan queries of others.
    """

    def __init__(self, server_url: str, template: str) -> None:
        self._server_url, self._template = server_url, template
        self._spare: list[str] = []
        self._admin = psycopg.connect(server_url, autocommit=True)
        with psycopg.connect(self._url(template)) as connection:
            self._stamp = connection.execute(_SCHEMA_STAMP).fetchall()

    def close(self) -> None:
        """Let go of the server."""
        self._admin.close()

    @contextmanager
    def one(self) -> Iterator[str]:
        """Yield the URL of an empty database of a name that was never used before."""
        name = f"test_{uuid4().hex}"
        if self._spare:
            self._admin.execute(f"ALTER DATABASE {self._spare.pop()} RENAME TO {name}")
        else:
            self._admin.execute(f"CREATE DATABASE {name} TEMPLATE {self._template}")
        yield self._url(name)
        self._admin.execute(
            "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE datname = %s",
            [name],
        )
        if self._make_empty(name):
            self._spare.append(name)
        else:
            self._admin.execute(f"DROP DATABASE {name} WITH (FORCE)")

    def _make_empty(self, name: str) -> bool:
        """Delete all rows, unless the schema was changed or the rows were too many."""
        with psycopg.connect(self._url(name)) as connection:
            (pages,) = connection.execute(_LARGEST_TABLE).fetchone() or (0,)
            if pages > _MAX_PAGES or connection.execute(_SCHEMA_STAMP).fetchall() != self._stamp:
                return False
            connection.execute(_EMPTY)
        return True

    def _url(self, name: str) -> str:
        return self._server_url.rsplit("/", 1)[0] + f"/{name}"
