"""How many samples an upload brings is known only once it was read: then its job fails."""

import threading
from pathlib import Path

import pytest
from celery import Celery
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.core.db import Database
from app.core.queue import WakeUps
from app.core.settings import Settings
from app.core.storage import DataFolder
from app.models import Dataset, DatasetState, Job, JobKind, JobState, Queue, Sample
from tests.support.archives import write_tiny_zip
from tests.support.engines import on_sqlite
from tests.support.rows import make_dataset, make_job, make_tenant
from tests.worker.stages.score.making import plant, write_npz
from worker.runtime.runner import JobRunner
from worker.runtime.slots import Slots
from worker.stages.choose import choose_stage

NUM_SAMPLES = 30


def _write_scores(path: Path) -> None:
    planted = plant(NUM_SAMPLES)
    write_npz(path, {"pred_probs": planted.prob, "given_label": planted.label})


def _write_images(path: Path) -> None:
    write_tiny_zip(path, num_train=NUM_SAMPLES)


def _queue(session: Session, settings: Settings, kind: JobKind) -> Path:
    """Queue a job beside a data set of five samples; return where its upload belongs."""
    tenant = make_tenant(session)
    make_dataset(session, tenant.id, num_samples=5)
    dataset = make_dataset(session, tenant.id, state=DatasetState.PENDING, classes=[])
    make_job(session, dataset, kind=kind, queue=Queue.CPU, options={})
    upload = DataFolder(settings).upload(dataset.id)
    upload.parent.mkdir(parents=True)
    return upload


@on_sqlite
@pytest.mark.parametrize("kind", [JobKind.SCORE, JobKind.INGEST])
@pytest.mark.parametrize(("limit", "fits"), [(34, False), (35, True)])
def test_more_samples_than_the_quota_fail_the_job_and_leave_nothing(
    database: Database, settings: Settings, kind: JobKind, limit: int, *, fits: bool
) -> None:
    with database.unit_of_work() as session:
        upload = _queue(session, settings, kind)
    (_write_scores if kind is JobKind.SCORE else _write_images)(upload)
    limited = settings.model_copy(update={"max_tenant_samples": limit})
    wake_ups = WakeUps(Celery("test", broker="memory://"))
    runner = JobRunner(database, limited, wake_ups, threading.Event(), Slots([None]), choose_stage)
    assert runner.run_next(Queue.CPU)
    with database.read() as session:
        job = session.scalars(select(Job)).one()
        stored = session.scalar(select(func.count()).select_from(Sample))
        state = session.get_one(Dataset, job.dataset_id).state
    if fits:
        assert (job.state, stored) == (JobState.SUCCEEDED, NUM_SAMPLES), job.error_detail
    else:
        assert (job.state, job.error_code) == (JobState.FAILED, "quota_exceeded")
        assert (stored, state) == (0, DatasetState.FAILED)
