"""Export jobs, without Celery: claim, child, publish."""

import hashlib
import io
import threading
import time
import zipfile
from collections.abc import Iterator
from typing import Any

import pandas as pd
import pytest
from celery import Celery
from sqlalchemy import select

from app.core.blobs import open_blobs
from app.core.db import Database
from app.core.queue import WakeUps
from app.core.settings import Settings
from app.core.storage import BlobStore, DataFolder
from app.exports.repository import ExportRepository
from app.exports.schemas import ExportFormat
from app.models import Artifact, Blob, Job, JobState, Queue, Sample
from tests.support.engines import on_sqlite
from tests.support.exports import Reviewed, make_reviewed, queue_export
from worker.runtime.runner import JobRunner
from worker.runtime.slots import Slots
from worker.stages.choose import choose_stage


@pytest.fixture
def reviewed(database: Database, settings: Settings) -> Reviewed:
    return make_reviewed(database, settings)


@pytest.fixture
def runner(database: Database, settings: Settings) -> JobRunner:
    wake_ups = WakeUps(Celery("test", broker="memory://"))
    return JobRunner(database, settings, wake_ups, threading.Event(), Slots([None]), choose_stage)


def read_job(database: Database, job: Job) -> Job:
    with database.read() as session:
        return session.get_one(Job, job.id)


class TestExportJob:
    def test_publishes_one_file_and_leaves_nothing_else(
        self, database: Database, settings: Settings, runner: JobRunner, reviewed: Reviewed
    ) -> None:
        job = queue_export(database, reviewed, format="croissant")
        with database.read() as session:
            before = [(row.id, row.version, row.decision) for row in session.query(Sample)]
        assert runner.run_next(Queue.CPU)
        done = read_job(database, job)
        assert (done.state, done.error_detail) == (JobState.SUCCEEDED, None)
        assert (done.stage, done.fraction) == ("done", 1.0)
        with database.read() as session:
            artifact = session.scalars(select(Artifact)).one()
            blob = session.get_one(Blob, (reviewed.tenant_id, artifact.sha256))
            after = [(row.id, row.version, row.decision) for row in session.query(Sample)]
        assert (artifact.kind, artifact.name) == ("export", "pets-co.croissant.zip")
        assert artifact.version_id == done.result_version
        files = DataFolder(settings)
        path = BlobStore(files.blobs(reviewed.tenant_id)).path(artifact.sha256)
        assert hashlib.sha256(path.read_bytes()).hexdigest() == artifact.sha256
        assert path.stat().st_size == artifact.num_bytes == blob.num_bytes
        with zipfile.ZipFile(path) as archive:
            log = pd.read_parquet(io.BytesIO(archive.read("decisions.parquet")))
        assert len(log) == 4
        assert not files.job(job.id).exists()
        assert after == before

    @on_sqlite
    @pytest.mark.parametrize("form", list(ExportFormat))
    def test_writes_every_format_from_images_in_s3(
        self, database: Database, settings: Settings, s3_settings: dict[str, str], form: str
    ) -> None:
        settings = settings.model_copy(update=s3_settings)
        reviewed = make_reviewed(database, settings)
        wake_ups = WakeUps(Celery("test", broker="memory://"))
        runner = JobRunner(
            database, settings, wake_ups, threading.Event(), Slots([None]), choose_stage
        )
        job = queue_export(database, reviewed, format=form)
        assert runner.run_next(Queue.CPU)
        done = read_job(database, job)
        assert (done.state, done.error_detail) == (JobState.SUCCEEDED, None)
        with database.read() as session:
            artifact = session.scalars(select(Artifact)).one()
        blobs = open_blobs(settings, reviewed.tenant_id)
        assert blobs.num_bytes(artifact.sha256) == artifact.num_bytes > 0
        assert not DataFolder(settings).job(job.id).exists()

    @on_sqlite
    def test_twice_gives_the_same_bytes(
        self, database: Database, runner: JobRunner, reviewed: Reviewed
    ) -> None:
        for _ in range(2):
            queue_export(database, reviewed, format="imagefolder")
            assert runner.run_next(Queue.CPU)
        with database.read() as session:
            first, second = session.scalars(select(Artifact.sha256))
        assert first == second

    @on_sqlite
    def test_can_be_cancelled_while_its_rows_are_read(
        self,
        database: Database,
        settings: Settings,
        reviewed: Reviewed,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setattr(ExportRepository, "samples", _never_ending)
        job = queue_export(database, reviewed, format="jsonl")
        with database.unit_of_work() as session:
            session.get_one(Job, job.id).cancel_requested = True
        impatient = settings.model_copy(update={"heartbeat_seconds": 1e-6})
        wake_ups = WakeUps(Celery("test", broker="memory://"))
        assert JobRunner(
            database, impatient, wake_ups, threading.Event(), Slots([None]), choose_stage
        ).run_next(Queue.CPU)
        assert read_job(database, job).state == JobState.CANCELLED
        assert not list(DataFolder(settings).job(job.id).rglob("spec.json"))

    @on_sqlite
    def test_says_which_image_is_lost(
        self, database: Database, settings: Settings, runner: JobRunner, reviewed: Reviewed
    ) -> None:
        with database.read() as session:
            sha256 = session.scalars(select(Sample.sha256).limit(1)).one()
        blobs = BlobStore(DataFolder(settings).blobs(reviewed.tenant_id))
        blobs.remove([str(sha256)])
        job = queue_export(database, reviewed, format="parquet", labels="given")
        assert runner.run_next(Queue.CPU)
        failed = read_job(database, job)
        assert (failed.state, failed.error_code) == (JobState.FAILED, "image_missing")
        assert str(sha256) in str(failed.error_detail)
        with database.read() as session:
            assert session.scalars(select(Artifact)).all() == []


def _never_ending(_exports: ExportRepository, _version: int | None) -> Iterator[dict[str, Any]]:
    """Yield rows for longer than anybody waits for a cancelled job."""
    end = time.monotonic() + 60
    while time.monotonic() < end:
        time.sleep(0.01)
        yield {}
