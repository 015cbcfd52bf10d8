"""The service's database, for the commands that work beside it."""
# ruff: noqa: PLC0415 - the service's code loads only for the commands that need it

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from labelaudit.errors import InputError, ServiceError

if TYPE_CHECKING:
    from app.core.db import Database
    from app.core.settings import Settings


def upgrade_database(settings: "Settings") -> None:
    """Bring the tables to the newest schema; a fresh database is made."""
    from app.core.migrate import upgrade

    with _told_in_one_line():
        upgrade(settings.resolved_database_url)


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
