"""A copy taken under load, and what it comes back as."""

import sqlite3
import subprocess
import threading
from contextlib import closing
from pathlib import Path
from typing import Self
from uuid import UUID

import psycopg
import pytest
from celery import Celery

from app.core.db import Database, make_engine
from app.core.migrate import is_current
from app.core.queue import WakeUps
from app.core.settings import Settings
from app.models import Job, JobState, RejectedFile
from tests.labelaudit.program import run_program
from tests.support.factories import make_rejected
from tests.support.rows import make_dataset, make_job, make_tenant
from tests.support.servers import postgres_binaries
from worker.runtime.sweeper import Sweeper

ON_SQLITE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
ON_POSTGRES = pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
ROWS_PER_COMMIT = 100


class Load:
    """Writes in a thread, a hundred rows a commit, until the block ends."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._write)
        with database.unit_of_work() as session:
            self.dataset = make_dataset(session, make_tenant(session).id)
            self.job_id = make_job(
                session, self.dataset, state=JobState.RUNNING, owner="x", attempt=1, lease_until=1.0
            ).id

    def _write(self) -> None:
        while not self._done.is_set():
            with self._database.unit_of_work() as session:
                make_rejected(session, self.dataset, ROWS_PER_COMMIT)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._done.set()
        self._thread.join()


def _assert_is_whole(url: str, settings: Settings, job_id: UUID) -> None:
    """Whole transactions only, the newest schema, and the running job goes on."""
    restored = Database(make_engine(url))
    assert is_current(restored)
    with restored.read() as session:
        num_rows = session.query(RejectedFile).count()
    assert num_rows % ROWS_PER_COMMIT == 0
    Sweeper(restored, settings, WakeUps(Celery("test"))).end_expired_leases()
    with restored.read() as session:
        assert session.get_one(Job, job_id).state is JobState.QUEUED
    restored.dispose()


@ON_SQLITE
class TestSqlite:
    def test_a_copy_under_load_is_whole(
        self, database: Database, settings: Settings, tmp_path: Path
    ) -> None:
        target = tmp_path / "copy.db"
        with Load(database) as load:
            done = run_program(
                "db", "backup", target, folder=tmp_path,
                LABELAUDIT_DATABASE_URL=settings.resolved_database_url,
            )  # fmt: skip
        assert done.returncode == 0, done.stderr
        assert target.stat().st_mode & 0o077 == 0
        assert [path.name for path in tmp_path.glob("copy.db*")] == ["copy.db"]
        with closing(sqlite3.connect(target)) as connection:
            assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        _assert_is_whole(f"sqlite:///{target}", settings, load.job_id)

    def test_the_folder_of_the_copy_is_made(
        self, database: Database, settings: Settings, tmp_path: Path
    ) -> None:
        assert database
        target = tmp_path / "of" / "today" / "copy.db"
        done = run_program(
            "db", "backup", target, folder=tmp_path,
            LABELAUDIT_DATABASE_URL=settings.resolved_database_url,
        )  # fmt: skip
        assert (done.returncode, target.exists()) == (0, True), done.stderr

    def test_a_place_that_cannot_hold_the_copy_is_told(
        self, database: Database, settings: Settings, tmp_path: Path
    ) -> None:
        assert database
        (tmp_path / "file").touch()
        done = run_program(
            "db", "backup", tmp_path / "file" / "copy.db", folder=tmp_path,
            LABELAUDIT_DATABASE_URL=settings.resolved_database_url,
        )  # fmt: skip
        assert done.returncode == 2
        assert done.stderr.startswith(f"error: cannot write {tmp_path / 'file' / 'copy.db'}")

    def test_nothing_is_overwritten(self, settings: Settings, tmp_path: Path) -> None:
        target = tmp_path / "copy.db"
        target.write_text("precious")
        done = run_program(
            "db", "backup", target, folder=tmp_path,
            LABELAUDIT_DATABASE_URL=settings.resolved_database_url,
        )  # fmt: skip
        assert (done.returncode, target.read_text()) == (2, "precious")


@ON_POSTGRES
class TestPostgres:
    def test_a_dump_under_load_is_whole(
        self, database: Database, settings: Settings, tmp_path: Path
    ) -> None:
        url, dump = settings.resolved_database_url, tmp_path / "labelaudit.dump"
        binaries = postgres_binaries()
        with Load(database) as load:
            subprocess.run(
                [binaries / "pg_dump", "--format=custom", f"--file={dump}", url], check=True
            )
        base, _, name = url.rpartition("/")
        copy = f"{name}_copy"
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {copy}")
            try:
                subprocess.run(
                    [binaries / "pg_restore", "--no-owner", f"--dbname={base}/{copy}", dump],
                    check=True,
                )
                _assert_is_whole(f"{base}/{copy}", settings, load.job_id)
            finally:
                connection.execute(f"DROP DATABASE {copy} WITH (FORCE)")

    def test_the_command_names_the_tool_for_it(self, settings: Settings, tmp_path: Path) -> None:
        done = run_program(
            "db", "backup", tmp_path / "copy.db", folder=tmp_path,
            LABELAUDIT_DATABASE_URL=settings.resolved_database_url,
        )  # fmt: skip
        assert done.returncode == 2
        assert "pg_dump" in done.stderr
