"""One reviewed data set for all tests of the formats: they only read it."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from app.core.db import Database, make_engine
from app.core.migrate import upgrade
from app.core.settings import Settings
from tests.support.exports import Reviewed, make_reviewed, write_export

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
