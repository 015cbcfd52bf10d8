"""What reviewers decided, in the next training of the data set."""

import json
import threading
from pathlib import Path
from typing import Any
from uuid import UUID

import numpy as np
import pytest
from celery import Celery
from sqlalchemy import select

from app.accounts.schemas import Principal, Scope
from app.core.db import Database
from app.core.ids import format_sample_id
from app.core.queue import WakeUps
from app.core.settings import Settings
from app.core.storage import BlobStore, DataFolder
from app.models import Artifact, Dataset, Finding, Job, JobState, Queue, Sample, SecondOpinion
from app.reviews.schemas import DecisionWrite
from app.reviews.service import ReviewService
from tests.support.engines import on_sqlite
from tests.support.rows import make_job
from tests.support.tiny import CLASSES, plant_errors, store_tiny_dataset, tiny_images
from worker.runtime.claim import Attempt
from worker.runtime.runner import JobRunner
from worker.runtime.slots import Slots
from worker.runtime.stage import StageContext
from worker.stages.choose import choose_stage
from worker.stages.train.host import FrozenDecisions, TrainStage

NUM_TRAIN = 120
WRONG = 5
"""Position of a label that is planted wrong, as that of every tenth sample after it."""


@pytest.fixture
def files(settings: Settings) -> DataFolder:
    return DataFolder(settings)


@pytest.fixture
def dataset(database: Database, files: DataFolder) -> Dataset:
    return store_tiny_dataset(database, files, num_train=NUM_TRAIN)


@pytest.fixture
def sample_ids(database: Database, dataset: Dataset) -> list[int]:
    with database.read() as session:
        query = select(Sample.id).where(Sample.dataset_id == dataset.id)
        return list(session.scalars(query.order_by(Sample.position)))


def decide(
    database: Database, dataset: Dataset, sample_id: int, key: str | None = None, **body: Any
) -> None:
    reviewer = Principal(dataset.tenant_id, frozenset(Scope), key_id=key)
    with database.unit_of_work() as session:
        reviews = ReviewService(session, reviewer, WakeUps(Celery(broker="memory://")))
        wanted = DecisionWrite.model_validate(body)
        reviews.decide(format_sample_id(sample_id), wanted, versions=None)


def queue_audit(database: Database, dataset: Dataset, *, epochs: int) -> UUID:
    options = {"preset": "standard", "method": "m-dyr-h", "epochs": epochs, "seed": 3}
    with database.unit_of_work() as session:
        return make_job(session, dataset, options=options).id


def written(
    database: Database, settings: Settings, files: DataFolder, job_id: UUID, number: int
) -> dict[str, list[Any]]:
    """Return the arrays that one attempt's trainer would read."""
    with database.unit_of_work() as session:
        job = session.get_one(Job, job_id)
        job.state, job.owner, job.attempt = JobState.RUNNING, "test", number
        attempt = Attempt.of(job)
    folder = files.attempt(job_id, number, "train")
    folder.mkdir(parents=True)
    TrainStage(StageContext(attempt, database, files, {}, settings)).spec(folder)
    return {file.stem: np.load(file).tolist() for file in sorted(folder.glob("*.npy"))}


class TestTraining:
    @on_sqlite
    def test_verified_labels_are_no_suspects_and_excluded_samples_are_left_out(
        self,
        database: Database,
        settings: Settings,
        files: DataFolder,
        dataset: Dataset,
        sample_ids: list[int],
    ) -> None:
        _, truth = tiny_images(NUM_TRAIN)
        labels, _ = plant_errors(truth)
        kept, relabelled, excluded = (sample_ids[WRONG + 10 * i] for i in range(3))
        right = CLASSES[int(truth[WRONG + 10])]
        decide(database, dataset, kept, decision="keep")
        decide(database, dataset, relabelled, decision="relabel", label=right)
        decide(database, dataset, excluded, decision="exclude", reason="off_topic")
        decide(database, dataset, sample_ids[-1], decision="exclude")
        decide(database, dataset, sample_ids[WRONG + 30], decision="unsure")

        job_id = queue_audit(database, dataset, epochs=6)
        wake_ups = WakeUps(Celery("test", broker="memory://"))
        runner = JobRunner(
            database, settings, wake_ups, threading.Event(), Slots([None]), choose_stage
        )
        assert runner.run_next(Queue.GPU)
        with database.read() as session:
            job = session.get_one(Job, job_id)
            assert (job.state, job.error_detail) == (JobState.SUCCEEDED, None)
            query = select(Finding).where(Finding.version_id == job.result_version)
            rows = {row.sample_id: row for row in session.scalars(query)}
            sha256 = session.scalars(select(Artifact.sha256).where(Artifact.kind == "report")).one()
        assert set(rows) == {*sample_ids[:NUM_TRAIN]} - {excluded}
        for number, suggested in ((kept, labels[WRONG]), (relabelled, truth[WRONG + 10])):
            row = rows[number]
            assert (row.verdict, row.flagged, row.p_mislabeled) == ("verified", False, 0.0)
            assert row.suggested_label == suggested
        assert rows[kept].signals["p_unpinned"] > 0.5
        assert rows[relabelled].given_label == labels[WRONG + 10]
        assert rows[relabelled].signals["p_unpinned"] < 0.5
        assert rows[sample_ids[WRONG + 30]].flagged
        report = json.loads(BlobStore(files.blobs(dataset.tenant_id)).path(sha256).read_text())
        assert report["decisions"] == {"num_verified": 2, "num_relabelled": 1, "num_excluded": 1}
        assert report["accuracy"]["num_test_samples"] == 29

    @on_sqlite
    def test_says_so_where_nothing_is_left_to_train_on(
        self,
        database: Database,
        settings: Settings,
        dataset: Dataset,
        sample_ids: list[int],
    ) -> None:
        with database.unit_of_work() as session:
            for number in sample_ids[1:]:
                session.get_one(Sample, number).decision = "exclude"
        job_id = queue_audit(database, dataset, epochs=2)
        wake_ups = WakeUps(Celery("test", broker="memory://"))
        runner = JobRunner(
            database, settings, wake_ups, threading.Event(), Slots([None]), choose_stage
        )
        assert runner.run_next(Queue.GPU)
        with database.read() as session:
            job = session.get_one(Job, job_id)
            assert (job.state, job.error_code) == (JobState.FAILED, "too_few_samples")


class TestFreezing:
    def test_all_attempts_see_the_decisions_of_the_first(
        self,
        database: Database,
        settings: Settings,
        files: DataFolder,
        dataset: Dataset,
        sample_ids: list[int],
    ) -> None:
        decide(database, dataset, sample_ids[0], decision="exclude")
        decide(database, dataset, sample_ids[1], decision="relabel", label="blue")
        job_id = queue_audit(database, dataset, epochs=2)
        first = written(database, settings, files, job_id, 1)
        assert (first["is_excluded"][0], first["labels"][1], first["given_labels"][1]) == (
            True, 2, 1,
        )  # fmt: skip
        assert first["is_verified"][:3] == [False, True, False]
        decide(database, dataset, sample_ids[0], decision="keep")
        decide(database, dataset, sample_ids[2], decision="exclude")
        assert written(database, settings, files, job_id, 2) == first
        newer = written(database, settings, files, queue_audit(database, dataset, epochs=2), 1)
        assert newer["is_excluded"][:3] == [False, False, True]

    @on_sqlite
    def test_a_training_begun_without_decisions_goes_on_without(
        self,
        database: Database,
        settings: Settings,
        files: DataFolder,
        dataset: Dataset,
        sample_ids: list[int],
    ) -> None:
        job_id = queue_audit(database, dataset, epochs=2)
        with database.unit_of_work() as session:
            session.get_one(Job, job_id).checkpoint = "jobs/some/where"
        decide(database, dataset, sample_ids[0], decision="exclude")
        assert not any(written(database, settings, files, job_id, 2)["is_excluded"])

    def test_what_reviewers_see_differently_is_not_taken_for_verified(
        self,
        database: Database,
        settings: Settings,
        files: DataFolder,
        dataset: Dataset,
        sample_ids: list[int],
    ) -> None:
        with database.unit_of_work() as session:
            job = make_job(session, dataset, state=JobState.SUCCEEDED)
            session.add(
                SecondOpinion(tenant_id=dataset.tenant_id, job_id=job.id, sample_id=sample_ids[0])
            )
        decide(database, dataset, sample_ids[0], "ann", decision="keep")
        decide(database, dataset, sample_ids[0], "bob", decision="exclude")
        seen = written(database, settings, files, queue_audit(database, dataset, epochs=2), 1)
        assert (seen["is_excluded"][0], seen["is_verified"][0]) == (False, False)
        decide(database, dataset, sample_ids[0], "ann", decision="exclude", resolves=True)
        seen = written(database, settings, files, queue_audit(database, dataset, epochs=2), 1)
        assert seen["is_excluded"][0] is True


def test_the_first_to_freeze_wins(tmp_path: Path) -> None:
    scratch = tmp_path / "scratch"
    first, late = FrozenDecisions([1], {2: 0}, [3]), FrozenDecisions([9], {}, [])
    assert first.freeze(tmp_path, scratch) == first
    assert late.freeze(tmp_path, scratch) == first
