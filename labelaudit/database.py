"""The service's database, for the commands that work beside it."""
# ruff: noqa: PLC0415 - the service's code loads only for the commands that need it

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from labelaudit.errors import InputError, ServiceError
from labelaudit.files import replacing
from labelaudit.terminal import note, say

if TYPE_CHECKING:
    from app.core.db import Database
    from app.core.settings import Settings

NO_WALL = (
    "row-level security between tenants is off: the role labelaudit_tenant is missing, or not "
    "granted to the owner of the database"
)
HOW_TO_RAISE = (
    "an administrator of PostgreSQL runs these statements, then you `labelaudit db upgrade` again:"
)


def upgrade_database(settings: "Settings") -> None:
    """Bring the tables to the newest schema; a fresh database is made."""
    from app.core.migrate import UnknownSchemaError, upgrade

    with _told_in_one_line():
        try:
            upgrade(settings.resolved_database_url)
        except UnknownSchemaError as error:
            raise ServiceError(str(error), code="unknown_schema") from error
    with open_database(settings) as database:
        statements = missing_wall(database)
    if statements:
        note(f"The tables are at the newest schema, but {NO_WALL}.")
        note(f"  {HOW_TO_RAISE} {statements}")


def missing_wall(database: "Database") -> str:
    """Return what an administrator of PostgreSQL must run; empty where the second wall stands."""
    from app.core.db import owner_without_wall
    from migrations.tenancy import ROLE_STATEMENTS

    with database.read() as session:
        owner = owner_without_wall(session)
    if owner is None:
        return ""
    return " ".join(f"{statement};" for statement in ROLE_STATEMENTS).replace("CURRENT_USER", owner)


def backup_database(settings: "Settings", target: Path) -> None:
    """Write a consistent copy of the SQLite database, whoever writes to it meanwhile."""
    from sqlalchemy.engine import make_url

    url = make_url(settings.resolved_database_url)
    if url.get_backend_name() != "sqlite" or not url.database:
        raise InputError(
            "the database is no SQLite file", code="not_sqlite", hint="pg_dump copies PostgreSQL"
        )
    source = Path(url.database)
    if not source.exists():
        raise InputError(f"there is no {source}", code="no_database")
    if target.exists():
        raise InputError(f"{target} exists", code="file_exists", hint="choose a new name")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with replacing(target) as temporary:
            _copy_sqlite(source, temporary)
    except (OSError, sqlite3.Error) as error:
        raise InputError(f"cannot write {target}: {error}", code="copy_failed") from error
    say(f"{target} is a copy of {source}")


def _copy_sqlite(source: Path, target: Path) -> None:
    with (
        closing(sqlite3.connect(f"{source.absolute().as_uri()}?mode=ro", uri=True)) as reading,
        closing(sqlite3.connect(target)) as writing,
    ):
        reading.backup(writing)
        # The source's mode goes with its pages; a copy should be one file.
        writing.execute("PRAGMA journal_mode = DELETE")
    target.chmod(0o600)


@contextmanager
def open_database(settings: "Settings") -> Iterator["Database"]:
    """Open the database of the settings."""
    from app.core.db import Database, make_engine

    with _told_in_one_line():
        database = Database(make_engine(settings.resolved_database_url))
        try:
            yield database
        finally:
            database.dispose()


@contextmanager
def _told_in_one_line() -> Iterator[None]:
    """Turn what a driver raises into an error without the URL, which holds a password."""
    from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError

    try:
        yield
    except (ArgumentError, NoSuchModuleError) as error:
        detail = "LABELAUDIT_DATABASE_URL is no database URL"
        raise InputError(detail, code="invalid_settings") from error
    except DBAPIError as error:
        raise ServiceError(
            f"the database cannot be used: {error.orig}",
            code="database",
            hint="`labelaudit db upgrade` makes or updates the tables; `labelaudit doctor` looks",
        ) from error
