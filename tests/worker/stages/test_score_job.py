"""Jobs of uploaded scores, without Celery: claim, children, publish."""

import json
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from celery import Celery
from sqlalchemy import func, select

from app.core.db import Database
from app.core.queue import WakeUps
from app.core.settings import Settings
from app.core.storage import BlobStore, DataFolder
from app.models import (
    Artifact,
    Dataset,
    DatasetState,
    Finding,
    Job,
    JobEvent,
    JobKind,
    JobState,
    Queue,
    ResultVersion,
    Sample,
)
from tests.support.engines import on_sqlite
from tests.support.rows import make_dataset, make_job, make_tenant
from tests.worker.stages.score.making import lists, plant, write_npz, write_parquet
from worker.runtime.runner import JobRunner
from worker.runtime.slots import Slots
from worker.stages.choose import choose_stage

CLASSES = ["rot", "grün", "蓝"]
PLANTED = plant(240)


@pytest.fixture
def files(settings: Settings) -> DataFolder:
    return DataFolder(settings)


@pytest.fixture
def runner(database: Database, settings: Settings) -> JobRunner:
    wake_ups = WakeUps(Celery("test", broker="memory://"))
    return JobRunner(database, settings, wake_ups, threading.Event(), Slots([None]), choose_stage)


@pytest.fixture
def upload(database: Database, files: DataFolder) -> Path:
    """Where the upload of the one queued job lies, once a test has written it."""
    with database.unit_of_work() as session:
        dataset = make_dataset(
            session, make_tenant(session).id, state=DatasetState.PENDING, classes=[],
            image_size=None,
        )  # fmt: skip
        make_job(session, dataset, kind=JobKind.SCORE, queue=Queue.CPU, options={})
    path = files.upload(dataset.id)
    path.parent.mkdir(parents=True)
    return path


def good_arrays() -> dict[str, Any]:
    names = np.array(CLASSES)
    return {"pred_probs": PLANTED.prob, "given_label": PLANTED.label, "class_names": names}


def only_job(database: Database) -> tuple[Job, Dataset]:
    with database.read() as session:
        return session.scalars(select(Job)).one(), session.scalars(select(Dataset)).one()


def findings(database: Database) -> list[tuple[Finding, Sample]]:
    with database.read() as session:
        query = select(Finding, Sample).join(Sample, Sample.id == Finding.sample_id)
        return [(row[0], row[1]) for row in session.execute(query.order_by(Finding.rank))]


def report(database: Database, files: DataFolder) -> dict[str, Any]:
    with database.read() as session:
        artifact = session.scalars(select(Artifact)).one()
    path = BlobStore(files.blobs(artifact.tenant_id)).path(artifact.sha256)
    content: dict[str, Any] = json.loads(path.read_text())
    return content


class TestScoreJob:
    def test_publishes_a_finding_for_each_row_and_the_report(
        self, database: Database, files: DataFolder, runner: JobRunner, upload: Path
    ) -> None:
        write_npz(upload, good_arrays() | {"more": np.ones(2)})
        assert runner.run_next(Queue.CPU)
        job, dataset = only_job(database)
        assert (job.state, job.error_detail) == (JobState.SUCCEEDED, None)
        assert (job.attempt, job.stage, job.fraction) == (1, "done", 1.0)
        assert (dataset.state, dataset.num_samples) == (DatasetState.READY, 240)
        assert (dataset.classes, dataset.splits) == (CLASSES, {"train": 240, "test": 0})
        warning = "Left out, since nothing here has such a name: 'more'."
        assert dataset.ingest_report["warnings"] == [warning]

        rows = findings(database)
        assert [finding.rank for finding, _ in rows] == list(range(1, 241))
        assert {sample.path for _, sample in rows} == {str(row) for row in range(240)}
        for finding, sample in rows:
            row = int(sample.path)
            assert (finding.given_label, sample.position) == (PLANTED.label[row], row)
            given = PLANTED.prob[row, PLANTED.label[row]]
            assert finding.loss == pytest.approx(-np.log(given))
            assert (sample.sha256, sample.width) == (None, None)
        flagged = {int(sample.path) for finding, sample in rows if finding.flagged}
        assert flagged == set(np.flatnonzero(PLANTED.is_wrong).tolist())

        content = report(database, files)
        assert content["run"]["left_out"] == ["more"]
        assert (content["num_samples"], content["num_flagged"]) == (240, len(flagged))
        assert not upload.exists()
        assert not files.job(job.id).exists()
        assert runner.run_next(Queue.GPU) is False

    @on_sqlite
    def test_keeps_who_is_like_whom_where_there_are_features(
        self, database: Database, files: DataFolder, runner: JobRunner, upload: Path
    ) -> None:
        features = np.eye(3)[PLANTED.label] + 0.01 * np.arange(240)[:, None] % 0.07
        write_npz(upload, good_arrays() | {"features": features})
        runner.run_next(Queue.CPU)
        with database.read() as session:
            kept = session.scalars(select(Artifact).where(Artifact.kind == "evidence")).one()
        file = BlobStore(files.blobs(kept.tenant_id)).path(kept.sha256)
        evidence = np.load(file, allow_pickle=False)
        assert evidence["losses"].shape == (240, 0)
        assert (PLANTED.label[evidence["like_given"][:, 0]] == PLANTED.label).all()

    @on_sqlite
    def test_has_the_report_of_an_audit_without_its_epochs(
        self, database: Database, files: DataFolder, runner: JobRunner, upload: Path
    ) -> None:
        write_npz(upload, good_arrays())
        runner.run_next(Queue.CPU)
        content = report(database, files)
        assert set(content) >= {
            "noise_rate", "noise_rate_interval", "expected_precision", "expected_recall",
            "num_samples", "num_flagged", "num_not_judged",
            "baseline", "accuracy", "epochs", "mixture_per_epoch", "loss_histogram", "per_class",
            "class_pairs", "converged", "fallbacks", "warnings", "run",
        }  # fmt: skip
        num_wrong = int(PLANTED.is_wrong.sum())
        assert content["baseline"] == {"argmax_differs": num_wrong}
        assert content["accuracy"] == {
            "train_given_labels": 1 - num_wrong / 240, "test": None, "num_test_samples": 0,
        }  # fmt: skip
        assert content["epochs"] == []
        [mixture] = content["mixture_per_epoch"]
        assert (mixture["epoch"], mixture["kind"]) == (0, "beta")
        assert sum(content["loss_histogram"]["counts"]) == 240
        assert [row["label"] for row in content["per_class"]] == CLASSES
        assert sum(row["num_flagged"] for row in content["per_class"]) == num_wrong
        assert sum(row["count"] for row in content["class_pairs"]) == num_wrong
        assert 0.05 < content["noise_rate"] < 0.2

    @on_sqlite
    def test_a_parquet_file_gives_the_same_findings(
        self, database: Database, runner: JobRunner, upload: Path
    ) -> None:
        label = [CLASSES[k] for k in PLANTED.label]
        columns = {"pred_probs": lists(PLANTED.prob, pa.float64()), "given_label": label}
        write_parquet(upload, columns, names=CLASSES)
        runner.run_next(Queue.CPU)
        _, dataset = only_job(database)
        assert dataset.classes == CLASSES
        assert dataset.content_hash is not None
        flagged = {int(sample.path) for finding, sample in findings(database) if finding.flagged}
        assert flagged == set(np.flatnonzero(PLANTED.is_wrong).tolist())


class TestFailure:
    def test_names_the_row_and_shows_nothing(
        self, database: Database, runner: JobRunner, upload: Path
    ) -> None:
        arrays = good_arrays()
        arrays["pred_probs"] = PLANTED.prob.copy()
        arrays["pred_probs"][17] *= 0.93
        write_npz(upload, arrays)
        assert runner.run_next(Queue.CPU)
        job, dataset = only_job(database)
        assert (job.state, job.error_code) == (JobState.FAILED, "invalid_scores")
        assert job.error_detail == "row 17 of pred_probs sums to 0.93, not to 1"
        assert dataset.state is DatasetState.FAILED
        with database.read() as session:
            for table in (Sample, Finding, ResultVersion):
                assert session.scalar(select(func.count()).select_from(table)) == 0

    @on_sqlite
    def test_a_lost_attempt_leaves_nothing_double(
        self, database: Database, runner: JobRunner, upload: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        write_npz(upload, good_arrays())
        with monkeypatch.context() as patch:
            patch.setattr("worker.runtime.publisher.Publisher.finish", _fail)
            runner.run_next(Queue.CPU)
        assert only_job(database)[0].state is JobState.QUEUED
        runner.run_next(Queue.CPU)
        job, _ = only_job(database)
        assert (job.state, job.attempt) == (JobState.SUCCEEDED, 2)
        assert len(findings(database)) == 240
        with database.read() as session:
            assert session.scalar(select(func.count()).select_from(Sample)) == 240
            assert list(session.scalars(select(ResultVersion.id))) == [job.result_version]
            states = session.scalars(
                select(JobEvent.data).where(JobEvent.type == "state").order_by(JobEvent.seq)
            )
            assert [data["state"] for data in states][-1] == "succeeded"


def _fail(*_args: object) -> None:
    raise OSError(5, "as the test wants")
