"""A real Celery worker process on both brokers."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import UUID

import pytest

from app.core.db import Database
from app.core.queue import WakeUps, make_celery
from app.core.settings import Settings
from app.core.storage import DataFolder
from app.models import Job, JobState
from tests.support.processes import find_processes, started
from tests.support.rows import make_job
from tests.support.tiny import store_tiny_dataset
from tests.support.waiting import wait_for

ON_SQLITE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
WORKER = "from worker.main import run; run('gpu')"


@pytest.fixture(params=["files", "redis"])
def broker_settings(request: pytest.FixtureRequest, settings: Settings) -> Settings:
    if request.param == "files":
        return settings
    url = request.getfixturevalue("redis_url")
    return Settings.model_validate(
        {"data_dir": settings.data_dir, "database_url": settings.database_url, "redis_url": url}
    )


@contextmanager
def running_worker(settings: Settings, log: Path) -> Iterator["subprocess.Popen[bytes]"]:
    environment = os.environ | {
        "LABELAUDIT_DATA_DIR": str(settings.data_dir),
        "LABELAUDIT_DATABASE_URL": settings.resolved_database_url,
        "LABELAUDIT_HEARTBEAT_SECONDS": "0.5",
    }
    if settings.redis_url is not None:
        environment["LABELAUDIT_REDIS_URL"] = settings.redis_url.get_secret_value()
    with (
        log.open("wb") as output,
        started(
            [sys.executable, "-c", WORKER], env=environment, stdout=output, stderr=output
        ) as worker,
    ):
        yield worker


def _queue_audit(database: Database, settings: Settings, *, epochs: int) -> UUID:
    dataset = store_tiny_dataset(database, DataFolder(settings))
    options = {"preset": "standard", "method": "ce", "epochs": epochs, "seed": 0}
    with database.unit_of_work() as session:
        return make_job(session, dataset, options=options).id


def _job(database: Database, job_id: UUID) -> Job:
    with database.read() as session:
        return session.get_one(Job, job_id)


@ON_SQLITE
class TestCeleryWorker:
    def test_runs_a_job_once_however_often_it_is_woken(
        self, database: Database, broker_settings: Settings, tmp_path: Path
    ) -> None:
        job_id = _queue_audit(database, broker_settings, epochs=2)
        wake_ups = WakeUps(make_celery(broker_settings))
        for _ in range(20):
            wake_ups.wake("gpu")
        with running_worker(broker_settings, tmp_path / "log"):
            wait_for(
                lambda: _job(database, job_id).state is JobState.SUCCEEDED,
                seconds=90,
                what="the job is done",
            )
        assert _job(database, job_id).attempt == 1

    def test_gives_its_job_back_on_sigterm_and_exits_cleanly(
        self, database: Database, broker_settings: Settings, tmp_path: Path
    ) -> None:
        job_id = _queue_audit(database, broker_settings, epochs=500)
        with running_worker(broker_settings, tmp_path / "log") as worker:
            WakeUps(make_celery(broker_settings)).wake("gpu")
            wait_for(lambda: _job(database, job_id).checkpoint, seconds=90, what="a checkpoint")
            worker.send_signal(signal.SIGTERM)
            assert worker.wait(30) == 0
        job = _job(database, job_id)
        assert (job.state, job.attempt, job.lost_attempts) == (JobState.QUEUED, 1, 0)

    def test_loses_its_trainer_within_seconds_when_it_is_killed(
        self, database: Database, settings: Settings, tmp_path: Path
    ) -> None:
        job_id = _queue_audit(database, settings, epochs=500)
        with running_worker(settings, tmp_path / "log") as worker:
            WakeUps(make_celery(settings)).wake("gpu")
            wait_for(lambda: _job(database, job_id).checkpoint, seconds=90, what="a checkpoint")
            worker.kill()
            wait_for(
                lambda: not find_processes("worker.stages.train.child", str(job_id)),
                seconds=5,
                what="the trainer ends too",
            )
