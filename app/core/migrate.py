"""Bring a database to the schema that this version of the program needs."""

import sys
import tempfile
from functools import cache
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, inspect, text

import migrations
from app.core.clock import utc_now
from app.core.db import Database, make_engine
from migrations.tenancy import grant_role

_VERSION_TABLE = "alembic_version"
LAST_OF_OLDER = "ece70257ba7575b16f285ffe2247f5016ff67bf3"
"""The last commit that upgrades databases of before the first version that there is today."""


class UnknownSchemaError(Exception):
    """The database is at a version of the schema that this program has no migration from."""

    def __init__(self, version: str) -> None:
        """Say what to do."""
        super().__init__(
            f"the database is at the schema version {version}, which this program does not know: "
            f"an older database is upgraded by commit {LAST_OF_OLDER} first, a newer one needs "
            "the newer program"
        )


def upgrade(url: str) -> None:
    """Upgrade to the newest schema; a fresh SQLite file is made with its folder.

    Raises:
        UnknownSchemaError: There is no way from where the database is.
    """
    engine = make_engine(url)
    if engine.url.get_backend_name() == "sqlite" and engine.url.database:
        Path(engine.url.database).parent.mkdir(parents=True, exist_ok=True)
    try:
        with engine.begin() as connection:
            _require_known(connection)
            command.upgrade(make_config(connection), "head")
            grant_role(connection)
    finally:
        engine.dispose()


def _require_known(connection: Connection) -> None:
    scripts = ScriptDirectory.from_config(make_config())
    known = {script.revision for script in scripts.walk_revisions()}
    for version in MigrationContext.configure(connection).get_current_heads():
        if version not in known:
            raise UnknownSchemaError(version)


def is_current(database: Database) -> bool:
    """Tell whether the database is at the newest schema.

    Asked by every look at `/readyz`: Alembic's own way makes a table object anew each time, whose
    statements push those of the requests out of the engine's cache.
    """
    with database.read() as session:
        if not inspect(session.connection()).has_table(_VERSION_TABLE):
            return False
        found = session.scalars(text(f"SELECT version_num FROM {_VERSION_TABLE}"))  # noqa: S608 - a name of ours
        return frozenset(found) == _newest()


@cache
def _newest() -> frozenset[str]:
    return frozenset(ScriptDirectory.from_config(make_config()).get_heads())


def make_config(connection: Connection | None = None) -> Config:
    """Return Alembic's configuration for the packaged migrations."""
    config = Config()
    config.set_main_option("script_location", str(Path(migrations.__file__).parent))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    return config


def _write_version(message: str) -> None:
    """For developers: autogenerate the version from the models to an upgraded scratch database."""
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:///{folder}/scratch.db"
        upgrade(url)
        engine = make_engine(url)
        with engine.begin() as connection:
            command.revision(
                make_config(connection),
                message=message,
                autogenerate=True,
                rev_id=f"{utc_now():%Y_%m_%d_%H%M}",
            )
        engine.dispose()


if __name__ == "__main__":
    _write_version(sys.argv[1])
