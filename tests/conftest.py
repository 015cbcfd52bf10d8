"""Databases for the tests: each test that uses one runs on SQLite and on PostgreSQL."""

import gc
import shutil
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import httpx2
import psycopg
import pytest

from app.core.db import Database, make_engine
from app.core.migrate import upgrade
from app.core.settings import Settings
from tests.support.clones import Clones
from tests.support.servers import running_postgres, running_redis, running_s3, start_or_skip


def pytest_collection_finish() -> None:
    """Have less searched for garbage: a fifth of the time went into that.

    All that was imported stays, and is not looked at again.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 20, 20)


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """URL of a private PostgreSQL server."""
    yield from start_or_skip(lambda: running_postgres(autovacuum="off"))


@pytest.fixture(scope="session")
def redis_url() -> Iterator[str]:
    """URL of a private Redis server."""
    yield from start_or_skip(running_redis)


@pytest.fixture(scope="session")
def s3_server() -> Iterator[str]:
    """URL of a private S3 service."""
    with running_s3() as url:
        yield url


@pytest.fixture
def s3_settings(s3_server: str, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Settings of a store in a new bucket."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    bucket = f"b{uuid4().hex}"
    assert httpx2.put(f"{s3_server}/{bucket}").is_success
    return {"store_url": f"s3://{bucket}/blobs", "s3_endpoint": s3_server}


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated, empty SQLite file to copy: much faster than migrating for each test."""
    file = tmp_path_factory.mktemp("template") / "template.db"
    upgrade(f"sqlite:///{file}")
    return file


@pytest.fixture(scope="session")
def postgres_template(postgres_server: str) -> str:
    """Name of a migrated, empty PostgreSQL database to clone."""
    name = "template_migrated"
    with psycopg.connect(postgres_server, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    upgrade(postgres_server.rsplit("/", 1)[0] + f"/{name}")
    return name


@pytest.fixture(scope="session")
def postgres_clones(postgres_server: str, postgres_template: str) -> Iterator[Clones]:
    """Gives databases like the template."""
    clones = Clones(postgres_server, postgres_template)
    yield clones
    clones.close()


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """URL of a migrated, empty database of this test's own, once per engine."""
    if request.param == "sqlite":
        file = tmp_path / "test.db"
        shutil.copy(request.getfixturevalue("sqlite_template"), file)
        yield f"sqlite:///{file}"
        return
    clones: Clones = request.getfixturevalue("postgres_clones")
    with clones.one() as url:
        yield url


@pytest.fixture
def settings(tmp_path: Path, database_url: str) -> Settings:
    """Settings of a service in a temporary data folder."""
    return Settings.model_validate({"data_dir": tmp_path / "data", "database_url": database_url})


@pytest.fixture
def database(settings: Settings) -> Iterator[Database]:
    """Sessions on this test's database."""
    opened = Database(make_engine(settings.resolved_database_url))
    yield opened
    opened.dispose()
