"""An ingest whose images end in S3: on this machine only caches are left."""

import threading

from celery import Celery
from sqlalchemy import select
from typing_extensions import override

from app.core.blobs import open_blobs
from app.core.db import Database
from app.core.queue import WakeUps
from app.core.settings import Settings
from app.core.storage import DataFolder
from app.models import Dataset, DatasetState, Job, JobKind, JobState, Queue, Sample
from tests.support.archives import write_tiny_zip
from tests.support.engines import on_sqlite
from tests.support.rows import make_dataset, make_job, make_tenant
from worker.runtime.runner import JobRunner
from worker.runtime.slots import Slots
from worker.stages.choose import choose_stage


class NoWakeUps(WakeUps):
    def __init__(self) -> None:
        super().__init__(Celery("test"))

    @override
    def wake(self, queue: str) -> None:
        """Send nothing."""


def _ingest(database: Database, settings: Settings) -> Dataset:
    with database.unit_of_work() as session:
        dataset = make_dataset(session, make_tenant(session).id, state=DatasetState.PENDING)
        make_job(session, dataset, kind=JobKind.INGEST, queue=Queue.CPU, options={})
    upload = DataFolder(settings).upload(dataset.id)
    upload.parent.mkdir(parents=True)
    write_tiny_zip(upload, num_train=30)
    assert JobRunner(
        database, settings, NoWakeUps(), threading.Event(), Slots([None]), choose_stage
    ).run_next(Queue.CPU)
    return dataset


@on_sqlite
def test_leaves_no_image_on_this_machine(
    database: Database, settings: Settings, s3_settings: dict[str, str]
) -> None:
    settings = settings.model_copy(update=s3_settings)
    dataset = _ingest(database, settings)
    with database.read() as session:
        assert session.get_one(Dataset, dataset.id).state is DatasetState.READY
        samples = session.scalars(select(Sample)).all()
    blobs = open_blobs(settings, dataset.tenant_id)
    assert len(samples) == 30
    for sample in samples:
        assert sample.sha256 is not None
        content = b"".join(blobs.read(sample.sha256, 0, blobs.num_bytes(sample.sha256)))
        assert content.startswith(b"\x89PNG")
    left = [path for path in settings.data_dir.rglob("*") if path.is_file()]
    assert {path.relative_to(settings.data_dir).parts[0] for path in left} == {"cache"}


@on_sqlite
def test_fails_with_the_code_of_the_store_where_the_bucket_is_missing(
    database: Database, settings: Settings, s3_settings: dict[str, str]
) -> None:
    values = s3_settings | {"store_url": "s3://nobody-made-this/blobs"}
    _ingest(database, settings.model_copy(update=values))
    with database.read() as session:
        job = session.scalars(select(Job)).one()
    assert (job.state, job.error_code) == (JobState.FAILED, "store_unavailable")
    assert "the bucket does not exist" in (job.error_detail or "")
