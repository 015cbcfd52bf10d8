"""Bring a database to the schema that this version of the program needs."""

import sys
import tempfile
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine

import migrations
from app.core.clock import utc_now
from app.core.db import make_engine


def upgrade(url: str) -> None:
    """Upgrade to the newest schema; a fresh SQLite file is made with its folder."""
    engine = make_engine(url)
    if engine.url.get_backend_name() == "sqlite" and engine.url.database:
        Path(engine.url.database).parent.mkdir(parents=True, exist_ok=True)
    try:
        with engine.begin() as connection:
            command.upgrade(make_config(connection), "head")
    finally:
        engine.dispose()


def is_current(engine: Engine) -> bool:
    """Tell whether the database is at the newest schema."""
    with engine.connect() as connection:
        heads = MigrationContext.configure(connection).get_current_heads()
    return set(heads) == set(ScriptDirectory.from_config(make_config()).get_heads())


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
