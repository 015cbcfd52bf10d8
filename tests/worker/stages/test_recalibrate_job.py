"""Re-calibration jobs, without Celery: claim, child, swap of the audit's pointer."""

import json
import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from celery import Celery
from sqlalchemy import func, select, update

import ml
from app.accounts.quotas import Quotas
from app.core.db import Database
from app.core.queue import WakeUps
from app.core.settings import Settings
from app.core.storage import BlobStore, DataFolder
from app.findings.query import FindingQuery, Sort, is_sure
from app.findings.repository import FindingRepository
from app.jobs.service import JobService
from app.models import Artifact, Finding, Job, JobState, Queue, ResultVersion
from tests.support.engines import on_sqlite
from tests.support.learning import CLASSES, REPORT, Audited, make_audited, review, shown
from worker.runtime.claim import Lease
from worker.runtime.runner import JobRunner
from worker.runtime.slots import Slots
from worker.stages.choose import choose_stage
from worker.stages.recalibrate.host import RecalibrateStage

DECIDED = [*range(0, 300, 5)]
UNINFORMED = REPORT | {
    "noise_rate_interval": [0.0, 1.0],
    "expected_precision": None,
    "fallbacks": ["uninformative_predictions"],
}


@pytest.fixture
def audited(database: Database, settings: Settings) -> Audited:
    return make_audited(database, settings)


@pytest.fixture
def runner(database: Database, settings: Settings) -> JobRunner:
    wake_ups = WakeUps(Celery("test", broker="memory://"))
    return JobRunner(database, settings, wake_ups, threading.Event(), Slots([None]), choose_stage)


def submit(database: Database, audited: Audited) -> Job:
    with database.unit_of_work() as session:
        quotas = Quotas(session, audited.tenant_id, Settings())
        wake_ups = WakeUps(Celery(broker="memory://"))
        jobs = JobService(session, audited.tenant_id, wake_ups, quotas=quotas)
        return jobs.submit_recalibration(session.get_one(Job, audited.job_id))


def read_job(database: Database, job: Job) -> Job:
    with database.read() as session:
        return session.get_one(Job, job.id)


def published(database: Database, audited: Audited) -> ResultVersion:
    with database.read() as session:
        version = session.get_one(Job, audited.job_id).result_version
        return session.get_one(ResultVersion, version)


def read_report(database: Database, settings: Settings, audited: Audited) -> dict[str, Any]:
    version_id = published(database, audited).id
    with database.read() as session:
        wanted = select(Artifact.sha256).where(
            Artifact.kind == "report", Artifact.version_id == version_id
        )
        sha256 = session.scalars(wanted).one()
    blobs = BlobStore(DataFolder(settings).blobs(audited.tenant_id))
    report: dict[str, Any] = json.loads(blobs.path(sha256).read_text())
    return report


class TestRecalibration:
    def test_learns_and_keeps_order_files_and_what_was_said_before(
        self, database: Database, settings: Settings, runner: JobRunner, audited: Audited
    ) -> None:
        review(database, audited, DECIDED)
        before = shown(database, audited)
        job = submit(database, audited)
        assert runner.run_next(Queue.CPU)
        done = read_job(database, job)
        assert (done.state, done.error_detail) == (JobState.SUCCEEDED, None)

        after = shown(database, audited)
        assert [row.sample_id for row in after] == audited.sample_ids
        assert [row.p_uncalibrated for row in after] == [row.p_mislabeled for row in before]
        p = [row.p_mislabeled or 0.0 for row in after]
        assert p == sorted(p, reverse=True)
        # Truth is p cubed: 0.34 at 0.7, where the audit said 0.7.
        assert abs(p[90] - 0.34) < 0.2
        assert [row.flagged for row in after] == ml.worth_a_look(np.array(p)).tolist()
        assert sum(row.flagged for row in after) < sum(row.flagged for row in before)
        assert {row.verdict for row in after if row.flagged} == {"mislabeled"}
        assert after[0].signals == before[0].signals
        assert [row.posterior for row in after] == [row.posterior for row in before]
        with database.read() as session:
            findings = FindingRepository(session, audited.tenant_id)
            query = FindingQuery(sort=Sort.LARGEST_POSTERIOR, min_posterior=0.5)
            likely = findings.page(
                after[0].version_id, query, classes=CLASSES, after=None, limit=300
            )
        assert [row.rank for row in likely] == list(range(1, 151))

        version = published(database, audited)
        assert version.calibration is not None
        assert version.calibration["num_learned"] == len(DECIDED)
        with database.read() as session:
            files = {file.kind: file for file in session.scalars(select(Artifact))}
            # The replaced results stay for a day, for walks that began with them.
            superseded = session.scalars(select(ResultVersion.superseded_at)).all()
            assert sorted(at is None for at in superseded) == [False, True]
            assert session.scalars(select(func.count()).select_from(Finding)).one() == 2 * 300
        assert {file.version_id for file in files.values()} == {version.id}
        assert {file.job_id for file in files.values()} == {audited.job_id}
        report = read_report(database, settings, audited)
        assert report["num_flagged"] == sum(row.flagged for row in after)
        assert report["epochs"] == []
        assert [row["label"] for row in report["per_class"]] == ["cat", "dog"]
        remaining = report["calibration"]["remaining"]
        num_left = sum(wrong for place, wrong in enumerate(audited.wrong) if place % 5)
        assert remaining["low"] <= num_left <= remaining["high"]

    @on_sqlite
    def test_intervals_are_those_of_the_new_probabilities_and_hold_the_truth(
        self, database: Database, settings: Settings, runner: JobRunner, audited: Audited
    ) -> None:
        review(database, audited, DECIDED)
        submit(database, audited)
        assert runner.run_next(Queue.CPU)
        report = read_report(database, settings, audited)
        wrong, flagged = (
            np.array(audited.wrong),
            np.array([row.flagged for row in shown(database, audited)]),
        )
        truth = {
            "noise_rate": wrong.mean(),
            "expected_precision": wrong[flagged].mean(),
            "expected_recall": flagged[wrong].mean(),
        }
        for name, true in truth.items():
            low, high = report[f"{name}_interval"]
            assert low <= true <= high, name
            assert low <= report[name] <= high, name
            assert [low, high] != REPORT[f"{name}_interval"], name
        assert report["num_sure"] == sum(
            is_sure(row.p_mislabeled, flagged=row.flagged) for row in shown(database, audited)
        )

    @on_sqlite
    def test_a_certain_conflict_stays_one_whatever_decisions_say_of_others(
        self, database: Database, settings: Settings, runner: JobRunner, audited: Audited
    ) -> None:
        torn = {shown(database, audited)[place].sample_id for place in (10, 298)}
        with database.unit_of_work() as session:
            session.execute(
                update(Finding)
                .where(Finding.sample_id.in_(torn))
                .values(verdict="conflict", flagged=True)
            )
        review(database, audited, DECIDED)
        submit(database, audited)
        assert runner.run_next(Queue.CPU)
        after = shown(database, audited)
        for row in after:
            assert (row.verdict == "conflict") == (row.sample_id in torn)
            assert row.flagged or row.sample_id not in torn
        report = read_report(database, settings, audited)
        assert report["num_flagged"] == sum(row.flagged for row in after)
        # Its rates are of what the model flags.
        p = np.array([row.p_mislabeled for row in after])
        assert report["expected_precision"] == pytest.approx(p[ml.worth_a_look(p)].mean())

    @on_sqlite
    def test_sentences_of_what_is_renewed_are_renewed_and_others_stay(
        self, database: Database, settings: Settings, runner: JobRunner
    ) -> None:
        labels, others = np.array([0, 1]), ["cat/1.png is odd."]
        said = ml.warn_of_report(REPORT, labels, ["cat", "dog"])
        assert any("Thirty decisions" in text for text in said)
        audited = make_audited(database, settings, report=REPORT | {"warnings": said + others})
        review(database, audited, DECIDED)
        for _ in range(2):
            submit(database, audited)
            assert runner.run_next(Queue.CPU)
        report = read_report(database, settings, audited)
        renewed = ml.warn_of_report(report, labels, ["cat", "dog"])
        assert report["warnings"] == others + renewed
        assert not set(said) & set(renewed)
        # Decisions have spoken: that they would narrow the interval is said no more.
        assert not any("Thirty decisions" in text for text in report["warnings"])

    @on_sqlite
    def test_a_network_that_learned_too_little_flags_nothing_after_few_decisions_either(
        self, database: Database, settings: Settings, runner: JobRunner
    ) -> None:
        audited = make_audited(database, settings, report=UNINFORMED)
        review(database, audited, DECIDED[:20])
        submit(database, audited)
        assert runner.run_next(Queue.CPU)
        assert not any(row.flagged for row in shown(database, audited))
        report = read_report(database, settings, audited)
        assert (report["num_flagged"], report["num_sure"]) == (0, 0)
        assert (report["expected_precision"], report["expected_recall"]) == (None, None)
        for name in ("noise_rate", "expected_precision", "expected_recall"):
            assert report[f"{name}_interval"] == [0.0, 1.0]
        assert report["fallbacks"] == ["uninformative_predictions"]

    @on_sqlite
    def test_decisions_tell_what_a_network_that_learned_too_little_could_not(
        self, database: Database, settings: Settings, runner: JobRunner
    ) -> None:
        audited = make_audited(database, settings, report=UNINFORMED)
        review(database, audited, DECIDED)
        submit(database, audited)
        assert runner.run_next(Queue.CPU)
        report = read_report(database, settings, audited)
        assert report["fallbacks"] == []
        assert report["num_flagged"] > 0
        low, high = report["noise_rate_interval"]
        assert low <= np.mean(audited.wrong) <= high
        assert high - low < 0.5

    @on_sqlite
    def test_what_the_audit_stated_is_kept_beside_what_decisions_say(
        self, database: Database, settings: Settings, runner: JobRunner, audited: Audited
    ) -> None:
        for decided in (DECIDED, [1, 2, 3]):
            review(database, audited, decided)
            submit(database, audited)
            assert runner.run_next(Queue.CPU)
        calibration = published(database, audited).calibration
        report = read_report(database, settings, audited)
        assert calibration is not None
        assert report["calibration"] == calibration
        rates = calibration["rates"]
        assert rates["before"]["noise_rate_interval"] == REPORT["noise_rate_interval"]
        assert rates["after"]["noise_rate_interval"] == report["noise_rate_interval"]

    @on_sqlite
    def test_again_starts_from_what_the_audit_said(
        self, database: Database, runner: JobRunner, audited: Audited
    ) -> None:
        review(database, audited, DECIDED)
        once = []
        for _ in range(2):
            submit(database, audited)
            assert runner.run_next(Queue.CPU)
            once.append(
                [(row.p_mislabeled, row.p_uncalibrated) for row in shown(database, audited)]
            )
        assert once[0] == once[1]

    @on_sqlite
    def test_a_request_while_one_waits_is_that_one(
        self, database: Database, audited: Audited
    ) -> None:
        assert submit(database, audited).id == submit(database, audited).id

    @on_sqlite
    def test_a_decision_meanwhile_is_kept_and_learned_from_next_time(
        self,
        database: Database,
        runner: JobRunner,
        audited: Audited,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        review(database, audited, DECIDED)
        meanwhile(monkeypatch, lambda: review(database, audited, [1, 2]))
        submit(database, audited)
        assert runner.run_next(Queue.CPU)
        monkeypatch.undo()
        first = published(database, audited).calibration
        assert first is not None
        assert first["num_learned"] == len(DECIDED)
        submit(database, audited)
        assert runner.run_next(Queue.CPU)
        second = published(database, audited).calibration
        assert second is not None
        assert second["num_learned"] == len(DECIDED) + 2
        assert second["decided_until"] > first["decided_until"]

    @on_sqlite
    def test_results_that_changed_meanwhile_are_not_overwritten(
        self,
        database: Database,
        runner: JobRunner,
        audited: Audited,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        review(database, audited, DECIDED)

        def replace() -> None:
            with database.unit_of_work() as session:
                version = ResultVersion(
                    tenant_id=audited.tenant_id, job_id=audited.job_id, attempt=2
                )
                session.add(version)
                session.flush()
                session.get_one(Job, audited.job_id).result_version = version.id

        meanwhile(monkeypatch, replace)
        job = submit(database, audited)
        assert runner.run_next(Queue.CPU)
        failed = read_job(database, job)
        assert (failed.state, failed.error_code) == (JobState.FAILED, "results_changed")
        assert published(database, audited).calibration is None

    @on_sqlite
    def test_an_owner_that_was_fenced_off_shows_nothing(
        self,
        database: Database,
        runner: JobRunner,
        audited: Audited,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        review(database, audited, DECIDED)
        job = submit(database, audited)

        def take_over() -> None:
            with database.unit_of_work() as session:
                row = session.get_one(Job, job.id)
                row.attempt, row.owner = row.attempt + 1, "somebody else"

        meanwhile(monkeypatch, take_over)
        before = published(database, audited).id
        assert runner.run_next(Queue.CPU)
        assert published(database, audited).id == before
        assert read_job(database, job).state == JobState.RUNNING
        assert shown(database, audited)[0].p_uncalibrated is None


def meanwhile(monkeypatch: pytest.MonkeyPatch, act: Callable[[], None]) -> None:
    """Act once the child has done its work, before anything is published."""
    publish = RecalibrateStage.publish

    def act_and_publish(self: RecalibrateStage, folder: object, lease: Lease) -> None:
        act()
        publish(self, folder, lease)  # type: ignore[arg-type]  # as the runner calls it

    monkeypatch.setattr(RecalibrateStage, "publish", act_and_publish)
