import os
import time
from datetime import timedelta
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from celery import Celery
from sqlalchemy import select
from typing_extensions import override

from app.core.clock import utc_now
from app.core.db import Database
from app.core.queue import WakeUps
from app.core.settings import Settings
from app.core.storage import DataFolder
from app.jobs.lease_repository import AttemptRepository, LeaseRepository
from app.models import AttemptOutcome, Job, JobState, Queue, Upload
from tests.support.engines import on_sqlite
from tests.support.rows import make_dataset, make_job, make_tenant
from worker.runtime.sweeper import (
    Sweeper,
    remove_expired_uploads,
    remove_finished_job_folders,
    remove_stale_uploads,
)


class RecordedWakeUps(WakeUps):
    def __init__(self) -> None:
        super().__init__(Celery("test"))
        self.sent: list[str] = []

    @override
    def wake(self, queue: str) -> None:
        self.sent.append(queue)


@pytest.fixture
def wake_ups() -> RecordedWakeUps:
    return RecordedWakeUps()


@pytest.fixture
def sweeper(database: Database, settings: Settings, wake_ups: RecordedWakeUps) -> Sweeper:
    return Sweeper(database, settings, wake_ups)


def _add(database: Database, **values: object) -> UUID:
    with database.unit_of_work() as session:
        return make_job(session, make_dataset(session, make_tenant(session).id), **values).id


def _running(database: Database, *, lease_until: float, **values: object) -> UUID:
    return _add(
        database,
        state=JobState.RUNNING,
        owner="gone",
        attempt=1,
        lease_until=lease_until,
        **values,
    )


def _job(database: Database, job_id: UUID) -> Job:
    with database.read() as session:
        return session.get_one(Job, job_id)


class TestExpiredLeases:
    def test_are_queued_again(self, database: Database, sweeper: Sweeper) -> None:
        job_id = _running(database, lease_until=1.0)
        sweeper.end_expired_leases()
        job = _job(database, job_id)
        assert (job.state, job.lost_attempts, job.owner) == (JobState.QUEUED, 1, None)

    def test_leave_the_last_words_of_the_child(
        self, database: Database, settings: Settings, sweeper: Sweeper
    ) -> None:
        job_id = _add(database)
        with database.unit_of_work() as session:
            LeaseRepository(session).claim_next(Queue.GPU, owner="gone", lease_seconds=-1)
        folder = DataFolder(settings).attempt(job_id, 1, "train")
        folder.mkdir(parents=True)
        (folder / "child.log").write_text("out of paper")
        sweeper.end_expired_leases()
        with database.read() as session:
            tenant_id = session.get_one(Job, job_id).tenant_id
            [row] = AttemptRepository(session).of_job(tenant_id, job_id)
        assert (row.outcome, row.log) == (AttemptOutcome.EXPIRED, "out of paper")

    def test_fail_once_the_budget_is_used_up(self, database: Database, sweeper: Sweeper) -> None:
        job_id = _running(database, lease_until=1.0, lost_attempts=2)
        sweeper.end_expired_leases()
        job = _job(database, job_id)
        assert (job.state, job.error_code) == (JobState.FAILED, "worker_lost")

    def test_are_cancelled_if_that_was_wanted(self, database: Database, sweeper: Sweeper) -> None:
        job_id = _running(database, lease_until=1.0, cancel_requested=True)
        sweeper.end_expired_leases()
        assert _job(database, job_id).state is JobState.CANCELLED

    @on_sqlite
    def test_are_ended_whatever_becomes_of_one_of_them(
        self, database: Database, sweeper: Sweeper
    ) -> None:
        with database.unit_of_work() as session:
            dataset = make_dataset(session, make_tenant(session).id)
            stuck, other = (
                make_job(session, dataset, state=JobState.RUNNING, owner="gone", lease_until=moment)
                for moment in (1.0, 2.0)
            )
            session.connection().exec_driver_sql(
                "CREATE TRIGGER refuse BEFORE UPDATE ON jobs "
                f"WHEN hex(old.id) = '{stuck.id.hex.upper()}' OR old.id = '{stuck.id.hex}' "
                "BEGIN SELECT RAISE(ABORT, 'not this one'); END"
            )
        sweeper.end_expired_leases()
        assert _job(database, stuck.id).state is JobState.RUNNING
        assert _job(database, other.id).state is JobState.QUEUED

    def test_leave_live_jobs_alone(self, database: Database, sweeper: Sweeper) -> None:
        job_id = _running(database, lease_until=9e9)
        sweeper.end_expired_leases()
        assert _job(database, job_id).state is JobState.RUNNING


class TestWakeUps:
    def test_come_soon_and_then_ever_more_rarely(
        self, database: Database, sweeper: Sweeper, wake_ups: RecordedWakeUps
    ) -> None:
        _add(database)
        times: list[float] = []
        for second in range(200):
            before = len(wake_ups.sent)
            sweeper.wake_idle_slots(float(second))
            if len(wake_ups.sent) > before:
                times.append(second)
        assert times == [2, 6, 14, 30, 62, 122, 182]
        assert set(wake_ups.sent) == {Queue.GPU}

    def test_stay_away_while_nothing_waits(
        self, database: Database, sweeper: Sweeper, wake_ups: RecordedWakeUps
    ) -> None:
        _running(database, lease_until=9e9)
        for second in range(10):
            sweeper.wake_idle_slots(float(second))
        assert wake_ups.sent == []


class TestCleaning:
    def test_removes_the_files_of_jobs_that_need_them_no_more(
        self, database: Database, settings: Settings
    ) -> None:
        files = DataFolder(settings)
        waiting = _add(database)
        for job_id in (waiting, uuid4()):
            files.attempt(job_id, 1, "train").mkdir(parents=True)
        (files.root / "jobs" / "somebody's notes").mkdir()
        remove_finished_job_folders(database, files)
        left = {path.name for path in (files.root / "jobs").iterdir()}
        assert left == {str(waiting), "somebody's notes"}

    def test_removes_uploads_that_nobody_goes_on_with(self, tmp_path: Path) -> None:
        for name in ("old.part", "new.part"):
            (tmp_path / name).touch()
        for name in ("old-images.part", "new-images.part"):
            (tmp_path / name).mkdir()
            (tmp_path / name / "0").touch()
        for name in ("old.part", "old-images.part"):
            os.utime(tmp_path / name, (0, 0))
        remove_stale_uploads(tmp_path, now=time.time())
        left = sorted(path.name for path in tmp_path.iterdir())
        assert left == ["new-images.part", "new.part"]

    def test_removes_resumable_uploads_whose_time_is_over(
        self, database: Database, settings: Settings
    ) -> None:
        files = DataFolder(settings)
        files.parts.mkdir(parents=True)
        with database.unit_of_work() as session:
            tenant = make_tenant(session).id
            job = make_job(session, make_dataset(session, tenant))
            soon, past = utc_now() + timedelta(hours=1), utc_now() - timedelta(hours=1)
            uploads = {
                name: Upload(tenant_id=tenant, num_bytes=9, expires_at=end, job_id=job_id)
                for name, end, job_id in (
                    ("waiting", soon, None), ("used", soon, job.id), ("over", past, None),
                )
            }  # fmt: skip
            session.add_all(uploads.values())
        ids = {name: upload.id for name, upload in uploads.items()} | {"lost": uuid4()}
        for upload_id in ids.values():
            files.part(upload_id).touch()
        remove_expired_uploads(database, files)
        assert list(files.parts.iterdir()) == [files.part(ids["waiting"])]
        with database.read() as session:
            left = set(session.scalars(select(Upload.id)))
        assert left == {ids["waiting"], ids["used"]}
