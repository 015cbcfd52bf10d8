"""Engine, sessions and the only place that commits."""

import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from copy import copy
from typing import Any
from uuid import UUID

from pydantic_core import from_json
from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DisconnectionError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.orm import Session, sessionmaker
from sqlalchemy.pool import ConnectionPoolEntry

DATABASE_ERRORS = (OperationalError, InterfaceError, PoolTimeoutError)
"""Not the statement's fault: the database is away, full, locked or in trouble."""
_POSTGRES_PATIENCE = {
    "connect_timeout": 5,
    "keepalives_idle": 10,
    "keepalives_interval": 3,
    "keepalives_count": 3,
    "tcp_user_timeout": 15_000,
}
"""A server that vanished from the network is noticed well before a lease is over (libpq)."""
NUM_READS = 3
"""Requests that may read at once. Threads that compute take the interpreter's lock from each other:
only while one waits for the database, another one is of use."""
NUM_WRITES = 12
"""Requests that may hold a session to write in at once; most of them wait for a lock or a disk."""
_POOL = {"pool_size": 10, "max_overflow": 10, "pool_use_lifo": True}
"""More than both: whoever needs a connection for one step only gets on meanwhile. The one that was
used last is used next, so that only few of them fill their caches."""
_JSON = {"json_deserializer": from_json}
"""Three times as fast as the default: a page of findings holds a hundred values."""
_TRUSTED_SECONDS = 1.0
"""For so long after its last use a connection is taken for alive."""
_IDLE_SINCE = "labelaudit_idle_since"
TENANT_ROLE = "labelaudit_tenant"
"""Only this role meets the policies of the tables: owners and superusers pass all walls."""
_TENANT = "tenant"
_READ_ONLY = "labelaudit_read_only"
_AFTER_COMMIT = "after_commit"


def make_engine(url: str) -> Engine:
    """Open SQLite (WAL, one host only) or PostgreSQL (psycopg 3)."""
    parsed = make_url(url)
    if parsed.get_backend_name() == "sqlite":
        return _make_sqlite_engine(url)
    if parsed.drivername == "postgresql":
        parsed = parsed.set(drivername="postgresql+psycopg")
    engine = create_engine(parsed, connect_args=_POSTGRES_PATIENCE, **_POOL, **_JSON)
    _look_after_idle_connections(engine)
    return engine


def _look_after_idle_connections(engine: Engine) -> None:
    """Ask a connection whether it still lives, unless it has just shown so.

    As the pool's own `pre_ping`, but under load that would be one question more for each request.
    """

    @event.listens_for(engine, "checkin")
    def _on_checkin(_connection: object, record: ConnectionPoolEntry) -> None:
        record.info[_IDLE_SINCE] = time.monotonic()

    @event.listens_for(engine, "checkout")
    def _on_checkout(connection: Any, record: ConnectionPoolEntry, _proxy: object) -> None:
        if time.monotonic() - record.info.get(_IDLE_SINCE, math.inf) < _TRUSTED_SECONDS:
            return
        try:
            engine.dialect.do_ping(connection)
        except engine.dialect.loaded_dbapi.Error as error:
            raise DisconnectionError from error  # the pool then opens another one


def _make_sqlite_engine(url: str) -> Engine:
    patience = {"timeout": 10.0, "check_same_thread": False}
    engine = create_engine(url, connect_args=patience, **_POOL, **_JSON)

    @event.listens_for(engine, "connect")
    def _on_connect(connection: Any, _record: object) -> None:
        connection.isolation_level = None  # our begin hook decides, not the driver
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def _on_begin(connection: Connection) -> None:
        # In WAL a transaction that reads first and writes later fails at once with BUSY,
        # whatever the busy timeout is: writers must say so when they begin.
        read_only = connection.get_execution_options().get(_READ_ONLY, False)
        connection.exec_driver_sql("BEGIN" if read_only else "BEGIN IMMEDIATE")

    return engine


@event.listens_for(Session, "after_begin")
def _raise_wall(session: Session, _transaction: object, connection: Connection) -> None:
    """Put a tenant's transactions behind the wall; both settings end with the transaction."""
    tenant_id = session.info.get(_TENANT)
    if tenant_id is not None and connection.dialect.name == "postgresql":
        role = f"CASE WHEN {_role_is_usable(connection)} THEN '{TENANT_ROLE}' ELSE 'none' END"
        connection.exec_driver_sql(
            f"SELECT set_config('role', {role}, true), set_config('app.tenant', %(tenant)s, true)",
            {"tenant": tenant_id},
        )


def _role_is_usable(connection: Connection) -> str:
    """Return the condition, in SQL, under which requests can take on the role.

    An owner without CREATEROLE depends on an administrator for the role.
    """
    membership = "SET" if (connection.dialect.server_version_info or ()) >= (16,) else "MEMBER"
    role = f"to_regrole('{TENANT_ROLE}')"
    return (
        f"pg_has_role({role}, '{membership}') AND has_table_privilege({role}, 'tenants', 'SELECT')"
    )


def owner_without_wall(session: Session) -> str | None:
    """Return the database user whose requests run without the second wall; None if it stands."""
    connection = session.connection()
    if connection.dialect.name != "postgresql":
        return None
    usable = _role_is_usable(connection)
    answer = connection.exec_driver_sql(
        f"SELECT CASE WHEN {usable} THEN NULL ELSE quote_ident(current_user) END"
    )
    return answer.scalar()


@contextmanager
def all_tenants(session: Session) -> Iterator[None]:
    """Look over the wall, for counts that are system-wide on purpose."""
    if session.info.get(_TENANT) is None or session.get_bind().dialect.name != "postgresql":
        yield
        return
    connection = session.connection()
    look_over = "SELECT current_setting('role'), set_config('role', 'none', true)"
    role = connection.exec_driver_sql(look_over).scalar_one()
    yield
    connection.exec_driver_sql("SELECT set_config('role', %(role)s, true)", {"role": role})


def after_commit(session: Session, action: Callable[[], None]) -> None:
    """Run `action` once this unit of work is durable; dropped on rollback."""
    session.info.setdefault(_AFTER_COMMIT, []).append(action)


class Database:
    """Sessions over one engine: `unit_of_work()` to write, `read()` to look, `ask()` once.

    They see all tenants, as workers and the sweeper must; those of `of_tenant` see one.
    """

    def __init__(self, engine: Engine) -> None:
        """Wrap an engine made by `make_engine`."""
        self.engine = engine
        self._info: dict[str, str] = {}
        self._writing = sessionmaker(engine, expire_on_commit=False)
        reading: dict[str, Any] = {_READ_ONLY: True}
        asking = reading
        if engine.dialect.name == "postgresql":
            # By default each statement there sees what was committed before it: a job could be
            # waiting for one and claimed for the next. In WAL a SQLite reader has one view anyway.
            reading = {"isolation_level": "REPEATABLE READ"}
            asking = {"isolation_level": "AUTOCOMMIT"}
        self._reading = sessionmaker(engine.execution_options(**reading), expire_on_commit=False)
        self._asking = sessionmaker(engine.execution_options(**asking), expire_on_commit=False)

    def of_tenant(self, tenant_id: UUID) -> "Database":
        """Return the same database behind the wall of one tenant.

        On PostgreSQL row-level security hides the rows of all others, also from a query that
        forgets to ask for the tenant's own. SQLite has no such wall.
        """
        walled = copy(self)
        walled._info = {_TENANT: str(tenant_id)}  # noqa: SLF001 - its own kind
        return walled

    @contextmanager
    def unit_of_work(self) -> Iterator[Session]:
        """One write transaction: all of it is kept, or nothing."""
        with self._writing(info=dict(self._info)) as session:
            with session.begin():
                yield session
            actions = session.info.pop(_AFTER_COMMIT, [])
        for action in actions:
            action()

    @contextmanager
    def read(self) -> Iterator[Session]:
        """One consistent view; nothing written in it is kept."""
        with self.reader() as session:
            yield session

    def reader(self) -> Session:
        """Return a session as `read` gives it, which the caller closes; nothing is asked yet."""
        return self._reading(info=dict(self._info))

    @contextmanager
    def ask(self) -> Iterator[Session]:
        """For one question, which needs no transaction: begin and end would cost as much.

        Raises:
            RuntimeError: A tenant's wall, which lasts for a transaction, would not stand.
        """
        if self._info:
            raise RuntimeError("only what sees all tenants may ask outside a transaction")
        with self._asking() as session:
            yield session

    def dispose(self) -> None:
        """Close all pooled connections."""
        self.engine.dispose()
