"""The same file under several labels, in the training of the data set."""

import json
import threading

import pytest
from celery import Celery
from sqlalchemy import select

from app.core.db import Database
from app.core.queue import WakeUps
from app.core.settings import Settings
from app.core.storage import BlobStore, DataFolder
from app.models import (
    Artifact,
    Dataset,
    DuplicateKind,
    Finding,
    Job,
    JobState,
    Queue,
    Sample,
)
from tests.support.engines import on_sqlite
from tests.support.rows import make_job
from tests.support.tiny import store_tiny_dataset
from worker.runtime.runner import JobRunner
from worker.runtime.slots import Slots
from worker.stages.choose import choose_stage

NUM_TRAIN = 120
PAIRS = ((0, 1), (6, 7), (9, 10), (12, 121))
"""Red and green. 7 is verified, 10 excluded, and 121 in the test split."""


@pytest.fixture
def dataset(database: Database, settings: Settings) -> Dataset:
    dataset = store_tiny_dataset(database, DataFolder(settings), num_train=NUM_TRAIN)
    with database.unit_of_work() as session:
        query = select(Sample).where(Sample.dataset_id == dataset.id).order_by(Sample.position)
        samples = session.scalars(query).all()
        for pair in PAIRS:
            for place in pair:
                samples[place].sha256 = samples[pair[0]].sha256
                samples[place].duplicate_group = samples[place].picture = pair[0]
                samples[place].duplicate_kind = DuplicateKind.EXACT
        samples[7].decision = "keep"
        samples[10].decision, samples[10].exclusion = "exclude", "duplicate"
    return dataset


def audit(database: Database, settings: Settings, dataset: Dataset) -> dict[int, Finding]:
    """Train a little; return the findings by position."""
    options = {"preset": "standard", "method": "m-dyr-h", "epochs": 3, "seed": 3}
    with database.unit_of_work() as session:
        job_id = make_job(session, dataset, options=options).id
    wake_ups = WakeUps(Celery("test", broker="memory://"))
    assert JobRunner(
        database, settings, wake_ups, threading.Event(), Slots([None]), choose_stage
    ).run_next(Queue.GPU)
    with database.read() as session:
        job = session.get_one(Job, job_id)
        assert (job.state, job.error_detail) == (JobState.SUCCEEDED, None)
        rows = session.execute(
            select(Sample.position, Finding)
            .join(Finding, Finding.sample_id == Sample.id)
            .where(Finding.version_id == job.result_version)
        )
        return {row.position: row.Finding for row in rows}


@on_sqlite
def test_come_first_unless_a_person_has_verified_or_excluded_one(
    database: Database, settings: Settings, dataset: Dataset
) -> None:
    findings = audit(database, settings, dataset)
    conflicts = {place: row for place, row in findings.items() if row.verdict == "conflict"}
    assert set(conflicts) == {0, 1, 6, 12}
    assert {row.rank for row in conflicts.values()} == {1, 2, 3, 4}
    assert abs(conflicts[0].rank - conflicts[1].rank) == 1
    assert all(row.flagged for row in conflicts.values())
    assert [conflicts[place].suggested_label for place in (0, 1, 6, 12)] == [1, 0, 1, 1]
    assert (findings[7].verdict, findings[7].flagged) == ("verified", False)
    assert findings[9].verdict != "conflict"
    with database.read() as session:
        shown = select(Artifact.sha256).where(
            Artifact.kind == "report", Artifact.version_id == findings[0].version_id
        )
        sha256 = session.scalars(shown).one()
    blobs = BlobStore(DataFolder(settings).blobs(dataset.tenant_id))
    report = json.loads(blobs.path(sha256).read_text())
    assert report["verdicts"]["conflict"] == 4
    assert report["num_flagged"] == sum(row.flagged for row in findings.values())
