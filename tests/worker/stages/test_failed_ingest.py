"""What is left of an upload: nothing, or why it was refused, by file, for its owner to mend."""

import io
import threading
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from celery import Celery
from sqlalchemy import select

from app.core.db import Database
from app.core.queue import WakeUps
from app.core.settings import Settings
from app.core.storage import DataFolder
from app.models import Dataset, DatasetState, Job, JobKind, JobState, Queue, RejectedFile
from tests.support.engines import on_sqlite
from tests.support.rows import make_dataset, make_job, make_tenant
from tests.worker.stages.ingest.making import make_zip, png, two_classes
from worker.runtime.runner import JobRunner
from worker.runtime.slots import Slots
from worker.stages.choose import choose_stage

UNNAMED = {f"{number:03d}.png": png(number) for number in range(8)}


@pytest.fixture
def runner(database: Database, settings: Settings) -> JobRunner:
    wake_ups = WakeUps(Celery("test", broker="memory://"))
    return JobRunner(database, settings, wake_ups, threading.Event(), Slots([None]), choose_stage)


@pytest.fixture
def job(database: Database) -> Job:
    with database.unit_of_work() as session:
        tenant = make_tenant(session)
        dataset = make_dataset(
            session, tenant.id, state=DatasetState.PENDING, upload_name="Rijks.parquet"
        )
        return make_job(
            session,
            dataset,
            kind=JobKind.INGEST,
            queue=Queue.CPU,
            state=JobState.QUEUED,
            options={},
        )


@pytest.fixture
def upload(settings: Settings, job: Job) -> Path:
    path = DataFolder(settings).upload(job.dataset_id)
    path.parent.mkdir(parents=True)
    return path


def end(database: Database, runner: JobRunner, job: Job) -> tuple[Job, Dataset]:
    assert runner.run_next(Queue.CPU)
    with database.read() as session:
        return session.get_one(Job, job.id), session.get_one(Dataset, job.dataset_id)


def rejected(database: Database) -> dict[str, str]:
    with database.read() as session:
        return {row.path: row.code for row in session.scalars(select(RejectedFile))}


def test_leaves_no_folder_of_a_job_that_ends_with_its_ingest(
    database: Database, settings: Settings, runner: JobRunner, job: Job, upload: Path
) -> None:
    make_zip(upload, two_classes())
    ended, _ = end(database, runner, job)
    assert ended.state == JobState.SUCCEEDED
    assert not DataFolder(settings).job(job.id).exists()


def test_lists_the_rejected_files_of_an_upload_without_samples(
    database: Database, runner: JobRunner, job: Job, upload: Path
) -> None:
    table = b"path,label\nx.png,cat\ny.png,dog\n"
    make_zip(upload, {**UNNAMED, "labels.csv": table})
    failed, dataset = end(database, runner, job)
    assert (failed.state, failed.error_code) == (JobState.FAILED, "no_samples")
    assert (dataset.state, dataset.num_rejected) == (DatasetState.FAILED, 10)
    missing = {"x.png": "missing_file", "y.png": "missing_file"}
    assert rejected(database) == dict.fromkeys(UNNAMED, "no_label") | missing
    detail = str(failed.error_detail)
    for told in ("8 no_label", "2 missing_file", "'000.png' (no_label)", "'x.png' (missing_file)"):
        assert told in detail
    assert detail.count("(") == 5


@on_sqlite
@pytest.mark.parametrize(
    ("files", "way_out"),
    [
        (UNNAMED, "folder of its own"),
        ({"cat/1.gif": b"GIF89a" + bytes(9), "dog/2.gif": b"GIF89a" + bytes(9)}, "PNG"),
        ({"cat/1.png": b"?", "dog/2.png": b"?"}, "PNG"),
        ({"a/1.png": png(1), "labels.csv": b"path,label\nno.png,b\nnot.png,b\n"}, "table"),
    ],
)
def test_says_what_to_do(
    database: Database,
    runner: JobRunner,
    job: Job,
    upload: Path,
    files: dict[str, bytes],
    way_out: str,
) -> None:
    make_zip(upload, files)
    failed, _ = end(database, runner, job)
    assert failed.error_code == "no_samples"
    assert way_out in str(failed.error_detail)


@on_sqlite
def test_lists_the_rejected_files_where_too_few_classes_are_left(
    database: Database, runner: JobRunner, job: Job, upload: Path
) -> None:
    make_zip(upload, {**two_classes(), "dog/1.png": b"?", "dog/2.png": b"?"})
    failed, _ = end(database, runner, job)
    assert failed.error_code == "too_few_classes"
    assert rejected(database) == dict.fromkeys(("dog/1.png", "dog/2.png"), "not_an_image")


@on_sqlite
def test_a_retry_begins_its_list_anew(
    database: Database, runner: JobRunner, job: Job, upload: Path
) -> None:
    make_zip(upload, UNNAMED)
    for _ in range(2):
        end(database, runner, job)
        assert len(rejected(database)) == 8
        with database.unit_of_work() as session:
            again: Any = session.get_one(Job, job.id)
            again.state = JobState.QUEUED
            session.get_one(Dataset, job.dataset_id).state = DatasetState.PENDING


@on_sqlite
def test_calls_the_file_as_its_owner_does(
    database: Database, runner: JobRunner, job: Job, upload: Path
) -> None:
    of = [{"bytes": png(n), "path": None} for n in range(4)]
    file = io.BytesIO()
    pq.write_table(pa.table({"image": of, "klasse": ["cat", "dog"] * 2}), file)
    upload.write_bytes(file.getvalue())
    failed, _ = end(database, runner, job)
    assert failed.error_code == "invalid_table"
    assert "'Rijks.parquet'" in str(failed.error_detail)
    assert str(job.dataset_id) not in str(failed.error_detail)
