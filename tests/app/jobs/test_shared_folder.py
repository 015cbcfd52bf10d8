"""A worker that does not see the API's folders claims nothing, and says so."""

import threading
from pathlib import Path

import pytest
import structlog
from celery import Celery
from fastapi import FastAPI

from app.core.db import Database
from app.core.queue import WakeUps
from app.core.settings import Settings
from app.core.storage import DataFolder
from app.jobs.shared_folder import SharedFolder
from app.models import Job, JobState, Queue
from labelaudit import doctor
from tests.labelaudit.program import run_program
from tests.support.engines import on_sqlite
from tests.support.rows import make_dataset, make_job, make_tenant
from worker.runtime.runner import JobRunner
from worker.runtime.slots import Slots
from worker.stages.choose import choose_stage

pytestmark = on_sqlite


@pytest.fixture
def elsewhere(settings: Settings, tmp_path: Path) -> Settings:
    """The settings of a machine with another data folder."""
    return settings.model_copy(update={"data_dir": tmp_path / "elsewhere"})


@pytest.fixture
def job(app: FastAPI, database: Database) -> Job:
    """A job of a service whose API has started."""
    assert app
    with database.unit_of_work() as session:
        return make_job(session, make_dataset(session, make_tenant(session).id))


def _runner(database: Database, settings: Settings) -> JobRunner:
    wake_ups = WakeUps(Celery("test", broker="memory://"))
    return JobRunner(database, settings, wake_ups, threading.Event(), Slots([None]), choose_stage)


class TestWorker:
    def test_claims_nothing_from_a_folder_of_its_own(
        self, database: Database, elsewhere: Settings, job: Job
    ) -> None:
        with structlog.testing.capture_logs() as logs:
            assert not _runner(database, elsewhere).run_next(Queue.GPU)
        assert [line["event"] for line in logs] == ["folder_not_shared"]
        with database.read() as session:
            row = session.get_one(Job, job.id)
        assert (row.state, row.attempt) == (JobState.QUEUED, 0)

    @pytest.mark.parametrize("arguments", [("worker", "--queue", "gpu"), ("sweeper",)])
    def test_does_not_even_start_there(
        self, settings: Settings, elsewhere: Settings, job: Job, tmp_path: Path,
        arguments: tuple[str, ...],
    ) -> None:  # fmt: skip
        assert job
        done = run_program(
            *arguments, folder=tmp_path,
            LABELAUDIT_DATABASE_URL=settings.resolved_database_url,
            LABELAUDIT_DATA_DIR=str(elsewhere.data_dir),
        )  # fmt: skip
        assert done.returncode == 1
        assert done.stderr.startswith(f"error: {elsewhere.data_dir}: this is not the folder")
        assert "Traceback" not in done.stderr

    def test_misses_a_store_beside_the_data_folder(
        self, database: Database, settings: Settings, tmp_path: Path
    ) -> None:
        here, there = (
            DataFolder(settings.model_copy(update={"store_url": f"file://{tmp_path / name}"}))
            for name in ("here", "there")
        )
        SharedFolder(database, here).mark()
        assert SharedFolder(database, here).unseen() is None
        assert SharedFolder(database, there).unseen() == tmp_path / "there"


class TestDoctor:
    def test_sees_whether_the_folder_is_shared(
        self, settings: Settings, elsewhere: Settings, job: Job
    ) -> None:
        assert job
        assert not doctor._look_at_sharing(settings).fix
        assert "LABELAUDIT_DATA_DIR" in doctor._look_at_sharing(elsewhere).fix


class TestApi:
    def test_agrees_with_others_that_start_at_the_same_time(
        self, database: Database, settings: Settings
    ) -> None:
        folders = [SharedFolder(database, DataFolder(settings)) for _ in range(4)]
        threads = [threading.Thread(target=folder.mark) for folder in folders]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(list((settings.data_dir / "marks").iterdir())) == 1
        assert [folder.unseen() for folder in folders] == [None] * 4
