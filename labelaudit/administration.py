"""What administrators do beside the service: settings, database and API keys."""
# ruff: noqa: PLC0415 - the service's code loads only for the commands that need it

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from labelaudit.errors import InputError, ServiceError
from labelaudit.files import replacing
from labelaudit.terminal import note, printable, say

if TYPE_CHECKING:
    from app.accounts.schemas import Scope
    from app.accounts.service import AccountService
    from app.core.db import Database
    from app.core.settings import Settings
    from app.models import ApiKey

NO_WALL = (
    "row-level security between tenants is off: the role labelaudit_tenant is missing, or not "
    "granted to the owner of the database"
)
HOW_TO_RAISE = (
    "an administrator of PostgreSQL runs these statements, then you `labelaudit db upgrade` again:"
)


def load_settings(**overrides: Any) -> "Settings":
    """Return the settings of the environment; overrides that are not None replace them."""
    from pydantic import ValidationError

    from app.core.settings import Settings

    given = {name: value for name, value in overrides.items() if value is not None}
    try:
        return Settings(**given)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        name = "_".join(map(str, first["loc"])).upper()
        detail = f"LABELAUDIT_{name}: {first['msg']}"
        raise InputError(detail, code="invalid_settings") from error


def upgrade_database(settings: "Settings") -> None:
    """Bring the tables to the newest schema; a new database is made."""
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
    """Return the statements that turn on row-level security; empty if it is on."""
    from app.core.db import owner_without_wall
    from migrations.tenancy import ROLE_STATEMENTS

    with database.read() as session:
        owner = owner_without_wall(session)
    if owner is None:
        return ""
    return " ".join(f"{statement};" for statement in ROLE_STATEMENTS).replace("CURRENT_USER", owner)


def backup_database(settings: "Settings", target: Path) -> None:
    """Write a consistent copy of the SQLite database, even while others write to it."""
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
    """Replace a driver's error by one without the URL, which holds a password."""
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


def create_key(
    name: str, scopes: Sequence[str], expires_days: int | None, tenant_name: str
) -> None:
    """Make a key and print it, this once."""
    wanted = _parse_scopes(scopes)
    expires_at = None
    if expires_days is not None:
        expires_at = datetime.now(UTC) + timedelta(days=expires_days)
    with _accounts(load_settings()) as accounts:
        accounts.ensure_default_tenant()
        tenant = accounts.find_tenant(tenant_name)
        if tenant is None:
            raise InputError(
                f"there is no tenant {printable(tenant_name)}",
                code="not_found",
                hint="operators make tenants with POST /v1/tenants",
            )
        row, key = accounts.create_key(tenant.id, name=name, scopes=wanted, expires_at=expires_at)
        key_id = row.key_id
    say(key)
    note(f"key {key_id} was made; it is shown only now")


def list_keys() -> None:
    """Print the keys as a table, without secrets."""
    from rich.console import Console
    from rich.table import Table

    table = Table("id", "name", "scopes", "made", "expires", "last used", "revoked")
    with _accounts(load_settings()) as accounts:
        for row in accounts.list_keys(accounts.ensure_default_tenant().id):
            table.add_row(*_cells(row))
    Console(markup=False).print(table)


def revoke_key(key_id: str) -> None:
    """Revoke a key for good."""
    from app.core.errors import NotFoundError

    with _accounts(load_settings()) as accounts:
        try:
            accounts.revoke_key(accounts.ensure_default_tenant().id, key_id)
        except NotFoundError as error:
            raise InputError(
                f"there is no key {key_id}",
                code="not_found",
                hint="`labelaudit keys list` shows the ids",
            ) from error
    say(f"key {key_id} is revoked")


def ensure_tenant(settings: "Settings") -> None:
    """Make the default tenant of a new service, without a key."""
    with _accounts(settings) as accounts:
        accounts.ensure_default_tenant()


def ensure_key_file(settings: "Settings", target: Path) -> None:
    """Make the first key of a new service, in a file that only the owner may read."""
    from app.accounts.schemas import Scope

    with _accounts(settings) as accounts:
        tenant = accounts.ensure_default_tenant()
        if target.exists():
            return
        _row, key = accounts.create_key(tenant.id, name="first key", scopes=[*Scope])
    with replacing(target) as temporary:
        temporary.touch()
        temporary.chmod(0o600)
        temporary.write_text(key + "\n")


@contextmanager
def _accounts(settings: "Settings") -> Iterator["AccountService"]:
    """Open the accounts in one unit of work."""
    from app.accounts.secrets import load_pepper
    from app.accounts.service import AccountService

    with open_database(settings) as database, database.unit_of_work() as session:
        yield AccountService(session, load_pepper(settings))


def _parse_scopes(names: Sequence[str]) -> "list[Scope]":
    from app.accounts.schemas import Scope

    try:
        return [Scope(name) for name in names]
    except ValueError as error:
        hint = f"scopes are: {' '.join(Scope)}"
        raise InputError(str(error), code="unknown_scope", hint=hint) from error


def _cells(row: "ApiKey") -> list[str]:
    times = (row.created_at, row.expires_at, row.last_used_at, row.revoked_at)
    return [
        row.key_id,
        printable(row.name),
        " ".join(row.scopes),
        *(f"{time:%Y-%m-%d %H:%M}" if time else "" for time in times),
    ]
