"""Two reviewed data sets for all tests of the formats: they only read them."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from app.core.db import Database, make_engine
from app.core.migrate import upgrade
from app.core.settings import Settings
from tests.support.exports import TRAPS, Reviewed, make_reviewed, write_export

Export = Callable[..., Path]


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    return Settings.model_validate({"data_dir": tmp_path_factory.mktemp("data")})


@pytest.fixture(scope="module")
def database(settings: Settings) -> Iterator[Database]:
    upgrade(settings.resolved_database_url)
    opened = Database(make_engine(settings.resolved_database_url))
    yield opened
    opened.dispose()


@pytest.fixture(scope="module")
def reviewed(database: Database, settings: Settings) -> Reviewed:
    return make_reviewed(database, settings)


@pytest.fixture
def export(database: Database, settings: Settings, reviewed: Reviewed) -> Export:
    """Write an export with these options; return its file."""

    def write(**options: Any) -> Path:
        return write_export(database, settings, reviewed, **options)

    return write


@pytest.fixture(scope="module")
def trapped(database: Database, settings: Settings) -> Reviewed:
    """Its classes are names that readers of untyped text take for something else."""
    return make_reviewed(database, settings, TRAPS)


@pytest.fixture
def export_trapped(database: Database, settings: Settings, trapped: Reviewed) -> Export:
    def write(**options: Any) -> Path:
        return write_export(database, settings, trapped, **options)

    return write
