"""Real trainings of a tiny data set, without Celery: claim, child, publish."""

import json
import os
import signal
import threading
from collections.abc import Iterator
from typing import Any
from uuid import UUID

import numpy as np
import pytest
from celery import Celery
from sqlalchemy import select

import ml
from app.core.db import Database
from app.core.queue import WakeUps
from app.core.settings import Settings
from app.core.storage import BlobStore, DataFolder
from app.jobs.lease_repository import AttemptRepository
from app.models import (
    Artifact,
    AttemptOutcome,
    Finding,
    Job,
    JobEvent,
    JobState,
    Queue,
    ResultVersion,
)
from ml.detection.findings import SCORES
from tests.support.engines import on_sqlite
from tests.support.processes import find_processes
from tests.support.rows import make_job
from tests.support.tiny import store_tiny_dataset
from tests.support.waiting import wait_for
from worker.runtime.runner import JobRunner
from worker.runtime.slots import Slots
from worker.stages.choose import choose_stage

NUM_TRAIN = 120


@pytest.fixture
def files(settings: Settings) -> DataFolder:
    return DataFolder(settings)


@pytest.fixture(autouse=True)
def _leaves_no_trainer_behind(settings: Settings) -> Iterator[None]:
    yield
    assert find_processes("worker.stages.train.child", str(settings.data_dir)) == []


@pytest.fixture
def draining() -> threading.Event:
    return threading.Event()


@pytest.fixture
def runner(database: Database, settings: Settings, draining: threading.Event) -> JobRunner:
    quick = settings.model_copy(update={"heartbeat_seconds": 0.2})
    return JobRunner(
        database,
        quick,
        WakeUps(Celery("test", broker="memory://")),
        draining,
        Slots([None]),
        choose_stage,
    )


def _queue_audit(
    database: Database,
    files: DataFolder,
    *,
    epochs: int,
    copies: int = 1,
    preset: str = "standard",
    method: str = "m-dyr-h",
    signals: list[str] | None = None,
) -> list[UUID]:
    dataset = store_tiny_dataset(database, files, num_train=NUM_TRAIN)
    options = {
        "preset": preset, "method": method, "epochs": epochs, "seed": 3, "signals": signals,
    }  # fmt: skip
    with database.unit_of_work() as session:
        return [make_job(session, dataset, options=options).id for _ in range(copies)]


def _job(database: Database, job_id: UUID) -> Job:
    with database.read() as session:
        return session.get_one(Job, job_id)


def _events(database: Database, job_id: UUID) -> list[JobEvent]:
    with database.read() as session:
        query = select(JobEvent).where(JobEvent.job_id == job_id).order_by(JobEvent.seq)
        return list(session.scalars(query))


def _findings(database: Database, job: Job) -> list[tuple[Any, ...]]:
    with database.read() as session:
        query = select(Finding).where(Finding.version_id == job.result_version)
        return [
            (row.sample_id, row.rank, row.p_mislabeled, row.flagged, row.loss, row.signals)
            for row in session.scalars(query.order_by(Finding.rank))
        ]


class Background:
    """Runs the next job in a thread, so that the test can disturb it."""

    def __init__(self, runner: JobRunner) -> None:
        self._thread = threading.Thread(target=runner.run_next, args=(Queue.GPU,))
        self._thread.start()

    def join(self) -> None:
        self._thread.join(120)
        assert not self._thread.is_alive()


def _wait_for_checkpoint(database: Database, job_id: UUID) -> str:
    return wait_for(lambda: _job(database, job_id).checkpoint, seconds=60, what="a checkpoint")


class TestAudit:
    def test_publishes_one_finding_per_training_sample_and_all_files(
        self, database: Database, files: DataFolder, runner: JobRunner
    ) -> None:
        [job_id] = _queue_audit(database, files, epochs=6)
        assert runner.run_next(Queue.GPU)
        job = _job(database, job_id)
        assert (job.state, job.attempt, job.stage, job.fraction) == ("succeeded", 1, "done", 1.0)

        findings = _findings(database, job)
        assert [rank for _, rank, *_ in findings] == list(range(1, NUM_TRAIN + 1))
        assert len({sample_id for sample_id, *_ in findings}) == NUM_TRAIN
        assert findings[0][-1].keys() == ml.SIGNALS.keys() | SCORES.keys()
        with database.read() as session:
            artifacts = {a.kind: a for a in session.scalars(select(Artifact))}
        assert set(artifacts) == {
            "safetensors", "card", "torchscript", "onnx", "report", "trajectories", "evidence",
            "class_losses",
        }  # fmt: skip
        store = BlobStore(files.blobs(job.tenant_id))
        report = json.loads(store.path(artifacts["report"].sha256).read_text())
        assert report["accuracy"]["num_test_samples"] == 30
        evidence = np.load(store.path(artifacts["evidence"].sha256), allow_pickle=False)
        assert evidence["losses"].shape == (NUM_TRAIN + 30, 6)
        assert (evidence["like_given"][:, 0] >= 0).sum() == NUM_TRAIN
        assert {row["label"] for row in report["per_class"]} == {"red", "green", "blue"}
        assert not files.job(job_id).exists()
        assert runner.run_next(Queue.GPU) is False

    @on_sqlite
    def test_the_same_job_twice_gives_the_same_probabilities_and_the_same_model(
        self, database: Database, files: DataFolder, runner: JobRunner
    ) -> None:
        jobs = _queue_audit(database, files, epochs=4, copies=2)
        while runner.run_next(Queue.GPU):
            pass
        first, second = (_findings(database, _job(database, job_id)) for job_id in jobs)
        assert first == second
        probabilities = [row[2] for row in first]
        assert all(isinstance(p, float) and 0.0 <= p <= 1.0 for p in probabilities)
        with database.read() as session:
            query = select(Artifact.sha256).where(Artifact.kind == "safetensors")
            assert len(set(session.scalars(query))) == 1

    @on_sqlite
    @pytest.mark.parametrize(
        ("preset", "method", "architecture", "kind"),
        [
            ("paper", "md-dyr-sh", "preact-resnet18", "beta"),
            ("standard", "dy-gmm", "resnet9", "gaussian"),
            ("quick", "m-dyr-h", "efficientnet-lite0", "beta"),
        ],
    )
    def test_trains_as_the_options_say(
        self,
        database: Database,
        files: DataFolder,
        runner: JobRunner,
        preset: str,
        method: str,
        architecture: str,
        kind: str,
    ) -> None:
        [job_id] = _queue_audit(
            database,
            files,
            epochs=2,
            preset=preset,
            method=method,
            signals=["prediction", "margin"],
        )
        assert runner.run_next(Queue.GPU)
        job = _job(database, job_id)
        assert (job.state, job.error_detail) == (JobState.SUCCEEDED, None)
        with database.read() as session:
            artifacts = {a.kind: a.sha256 for a in session.scalars(select(Artifact))}
        store = BlobStore(files.blobs(job.tenant_id))
        card, report = (
            json.loads(store.path(artifacts[name]).read_text()) for name in ("card", "report")
        )
        assert (card["architecture"], card["method"]) == (architecture, method)
        assert [row["kind"] for row in report["mixture_per_epoch"]] == [kind, kind]
        scores = {"off_topic", "ambiguous", "spread"}
        assert _findings(database, job)[0][-1].keys() == {"prediction", "margin", *scores}

    def test_goes_on_from_its_checkpoint_after_a_kill_and_ends_with_equal_results(
        self, database: Database, files: DataFolder, runner: JobRunner
    ) -> None:
        disturbed, clean = _queue_audit(database, files, epochs=12, copies=2)
        first = Background(runner)
        checkpoint = _wait_for_checkpoint(database, disturbed)
        [trainer] = find_processes("worker.stages.train.child", str(disturbed))
        os.kill(trainer, signal.SIGKILL)
        first.join()
        assert _job(database, disturbed).state is JobState.QUEUED
        assert _job(database, disturbed).lost_attempts == 1
        while runner.run_next(Queue.GPU):
            pass

        job = _job(database, disturbed)
        assert (job.state, job.attempt) == (JobState.SUCCEEDED, 2)
        resumed = [e.data["epoch"] for e in _events(database, disturbed) if e.type == "resumed"]
        assert resumed[0] >= int(checkpoint.rsplit("-", 1)[1])
        assert job.metrics is not None
        assert job.metrics["mixture"]["kind"] == "beta"
        histogram = job.metrics["loss_histogram"]
        assert sum(histogram["counts"]) == 120
        assert len(histogram["expected_counts"]["noisy"]) == len(histogram["counts"])
        with database.read() as session:
            tried = AttemptRepository(session).of_job(job.tenant_id, disturbed)
        assert [(row.stage, row.outcome) for row in tried] == [
            ("train", AttemptOutcome.LOST),
            ("train", AttemptOutcome.SUCCEEDED),
        ]
        assert _findings(database, job) == _findings(database, _job(database, clean))
        with database.read() as session:
            published = session.scalars(
                select(ResultVersion.id).where(ResultVersion.job_id == disturbed)
            )
            assert list(published) == [job.result_version]

    @on_sqlite
    def test_gives_the_job_back_unharmed_when_the_worker_shuts_down(
        self, database: Database, files: DataFolder, runner: JobRunner, draining: threading.Event
    ) -> None:
        [job_id] = _queue_audit(database, files, epochs=200)
        running = Background(runner)
        _wait_for_checkpoint(database, job_id)
        draining.set()
        running.join()
        job = _job(database, job_id)
        assert (job.state, job.lost_attempts) == (JobState.QUEUED, 0)
        assert job.checkpoint is not None

    @on_sqlite
    def test_ends_cancelled_without_results(
        self, database: Database, files: DataFolder, runner: JobRunner
    ) -> None:
        [job_id] = _queue_audit(database, files, epochs=200)
        running = Background(runner)
        _wait_for_checkpoint(database, job_id)
        with database.unit_of_work() as session:
            session.get_one(Job, job_id).cancel_requested = True
        running.join()
        job = _job(database, job_id)
        assert (job.state, job.result_version) == (JobState.CANCELLED, None)

    @on_sqlite
    def test_refuses_a_changed_checkpoint_and_starts_from_an_older_one(
        self, database: Database, files: DataFolder, runner: JobRunner, draining: threading.Event
    ) -> None:
        [job_id] = _queue_audit(database, files, epochs=8)
        running = Background(runner)
        wait_for(
            lambda: (_job(database, job_id).epoch or 0) >= 4, seconds=60, what="the fourth epoch"
        )
        draining.set()
        running.join()
        draining.clear()
        pointer = _job(database, job_id).checkpoint
        assert pointer is not None
        tensors = files.root / pointer / "state.safetensors"
        tensors.write_bytes(tensors.read_bytes()[:100])
        runner.run_next(Queue.GPU)

        types = [event.type for event in _events(database, job_id)]
        assert _job(database, job_id).state is JobState.SUCCEEDED
        assert types.index("checkpoint_refused") < types.index("resumed")


class TestFailure:
    @on_sqlite
    def test_a_training_that_is_always_lost_fails_after_its_budget(
        self, database: Database, files: DataFolder, runner: JobRunner
    ) -> None:
        [job_id] = _queue_audit(database, files, epochs=2)
        for cache in files.root.glob("cache/*/*"):
            cache.unlink()
        attempts = 0
        while runner.run_next(Queue.GPU):
            attempts += 1
        job = _job(database, job_id)
        assert (attempts, job.state, job.error_code) == (3, JobState.FAILED, "worker_lost")
        with database.read() as session:
            tried = AttemptRepository(session).of_job(job.tenant_id, job_id)
        assert [row.outcome for row in tried] == [AttemptOutcome.LOST] * 3
        assert all("FileNotFoundError" in (row.log or "") for row in tried)
