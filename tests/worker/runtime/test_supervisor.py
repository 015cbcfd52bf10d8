import os
import signal
import threading
import time
from pathlib import Path
from typing import Any

import pytest
import structlog
from sqlalchemy import select
from sqlalchemy.exc import OperationalError
from typing_extensions import override

from app.core.db import Database
from app.core.durable import write_json
from app.core.settings import Settings
from app.jobs.lease_repository import MAX_LOG_CHARACTERS, Fence, FencedError, LeaseRepository
from app.models import Job, JobAttempt, JobEvent, Queue
from tests.support.rows import make_dataset, make_job, make_tenant
from tests.support.waiting import wait_for
from worker.processes.errors import CancelledError, ChildFailedError, ChildLostError, DrainedError
from worker.processes.spawn import ChildProcess, Event, log_for_owner
from worker.runtime.claim import Lease, RowUpdate
from worker.runtime.supervise import Supervisor

LONG = {"sleep": 60}
PROGRESS = {"emit": {"event": "progress", "fraction": 0.25}}


def _translate(event: Event) -> RowUpdate:
    if event["event"] == "progress":
        return RowUpdate(values={"fraction": event["fraction"]})
    return RowUpdate(events=[(event["event"], {})])


def _start(folder: Path, *steps: dict[str, Any]) -> ChildProcess:
    write_json(folder / "spec.json", {"steps": steps})
    return ChildProcess("tests.support.fake_child", folder / "spec.json")


def _watch(child: ChildProcess, lease: Lease, draining: threading.Event | None = None) -> None:
    Supervisor(lease, draining or threading.Event(), _translate).watch(child)


def _is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.fixture
def quick_settings(settings: Settings) -> Settings:
    return settings.model_copy(update={"heartbeat_seconds": 0.1})


@pytest.fixture
def lease(database: Database, quick_settings: Settings) -> Lease:
    with database.unit_of_work() as session:
        make_job(session, make_dataset(session, make_tenant(session).id))
    with database.unit_of_work() as session:
        job = LeaseRepository(session).claim_next(Queue.GPU, owner="me", lease_seconds=60)
        assert job is not None
        fence = Fence(job.id, job.attempt, "me")
    return Lease(database, quick_settings, fence)


def _job(database: Database, lease: Lease) -> Job:
    with database.read() as session:
        return session.get_one(Job, lease.fence.job_id)


def _log(database: Database, lease: Lease) -> str:
    with database.read() as session:
        query = select(JobAttempt.log).where(JobAttempt.job_id == lease.fence.job_id)
        return session.scalar(query) or ""


class TestWatch:
    def test_passes_on_progress_and_events_until_the_child_is_done(
        self, tmp_path: Path, lease: Lease, database: Database
    ) -> None:
        _watch(_start(tmp_path, PROGRESS, {"emit": {"event": "epoch"}}), lease)
        assert _job(database, lease).fraction == 0.25
        with database.read() as session:
            events = session.query(JobEvent).filter_by(job_id=lease.fence.job_id)
            assert [event.type for event in events] == ["epoch"]

    def test_writes_progress_while_the_child_still_works(
        self, tmp_path: Path, lease: Lease, database: Database
    ) -> None:
        child = _start(tmp_path, PROGRESS, {"sleep": 3})
        watching = threading.Thread(target=_watch, args=(child, lease))
        watching.start()
        wait_for(lambda: _job(database, lease).fraction == 0.25, seconds=2.5, what="progress")
        watching.join()

    def test_tells_the_owner_why_a_child_crashed_but_nothing_of_this_machine(
        self, tmp_path: Path, lease: Lease, database: Database
    ) -> None:
        secret = tmp_path / "cache" / "images-32.u8"
        child = _start(
            tmp_path,
            {"stderr": f"12:00:00 epoch 1\n{secret}:3: a warning\n"},
            {"read": str(secret)},
        )
        with pytest.raises(ChildLostError) as caught, structlog.testing.capture_logs() as logs:
            _watch(child, lease)
        told = str(caught.value)
        for words in (told, log_for_owner(child.log_file), _log(database, lease)):
            assert str(tmp_path) not in words
            assert "Traceback" not in words
            assert str(Path(__file__).parents[2]) not in words
        reason = "FileNotFoundError: [Errno 2] No such file or directory: '…/images-32.u8'"
        assert told == f"exit code 1: {reason}"
        assert "12:00:00 epoch 1" in log_for_owner(child.log_file)
        (line,) = (line for line in logs if line["event"] == "child_lost")
        assert "Traceback (most recent call last)" in line["log"]
        assert str(secret) in line["log"]

    def test_shows_no_half_of_a_path_where_a_long_log_is_cut(self, tmp_path: Path) -> None:
        log = tmp_path / "child.log"
        log.write_text(f"{tmp_path}/secret.py:1: a warning\n" * 1000)
        lines = log_for_owner(log).splitlines()
        assert set(lines) == {"…/secret.py:1: a warning"}

    def test_shows_the_end_of_the_log_while_the_child_still_works(
        self, tmp_path: Path, lease: Lease, database: Database
    ) -> None:
        steps = ({"stderr": "x" * 40_000}, {"stderr": "epoch 1"}, {"sleep": 3}, {"stderr": "end"})
        child = _start(tmp_path, *steps)
        watching = threading.Thread(target=_watch, args=(child, lease))
        watching.start()
        wait_for(
            lambda: _log(database, lease).endswith("epoch 1"), seconds=2.5, what="the log's end"
        )
        assert watching.is_alive()
        assert len(_log(database, lease)) <= MAX_LOG_CHARACTERS
        watching.join()

    def test_says_why_the_child_failed(self, tmp_path: Path, lease: Lease) -> None:
        with pytest.raises(ChildFailedError) as failure:
            _watch(_start(tmp_path, {"fail": "too_few_classes"}), lease)
        assert failure.value.code == "too_few_classes"

    def test_reports_a_killed_child_as_lost(self, tmp_path: Path, lease: Lease) -> None:
        steps = ({"stderr": "last words"}, {"signal": int(signal.SIGKILL)})
        with pytest.raises(ChildLostError, match=r"-9: last words"):
            _watch(_start(tmp_path, *steps), lease)

    def test_stops_a_cancelled_child_even_if_it_does_not_listen(
        self, tmp_path: Path, lease: Lease, database: Database
    ) -> None:
        with database.unit_of_work() as session:
            session.get_one(Job, lease.fence.job_id).cancel_requested = True
        child = _start(tmp_path, {"ignore_term": True}, PROGRESS, LONG)
        started = time.monotonic()
        with pytest.raises(CancelledError):
            _watch(child, lease)
        assert time.monotonic() - started < 20
        assert not _is_running(child.pid)

    def test_gives_up_the_child_when_the_worker_drains(self, tmp_path: Path, lease: Lease) -> None:
        draining = threading.Event()
        draining.set()
        child = _start(tmp_path, LONG)
        with pytest.raises(DrainedError):
            _watch(child, lease, draining)
        assert not _is_running(child.pid)

    def test_kills_the_child_once_somebody_else_owns_the_job(
        self, tmp_path: Path, lease: Lease, database: Database
    ) -> None:
        with database.unit_of_work() as session:
            session.get_one(Job, lease.fence.job_id).attempt = 7
        child = _start(tmp_path, LONG)
        with pytest.raises(FencedError):
            _watch(child, lease)
        assert not _is_running(child.pid)

    def test_kills_the_child_before_a_lease_runs_out_that_cannot_be_renewed(
        self, tmp_path: Path, lease: Lease, database: Database, quick_settings: Settings
    ) -> None:
        class CutOff(Lease):
            @override
            def renew(self, update: RowUpdate) -> bool:
                raise OperationalError("renew", {}, OSError("the database is away"))

        seconds = 3.0
        settings = quick_settings.model_copy(update={"lease_seconds": seconds})
        child = _start(tmp_path, LONG)
        started = time.monotonic()
        with pytest.raises(ChildLostError, match="could not be renewed"):
            _watch(child, CutOff(database, settings, lease.fence))
        assert time.monotonic() - started < seconds
        assert not _is_running(child.pid)

    def test_kills_the_child_in_time_even_while_a_renewal_hangs(
        self, tmp_path: Path, lease: Lease, database: Database, quick_settings: Settings
    ) -> None:
        goes_on = threading.Event()

        class Hanging(Lease):
            @override
            def renew(self, update: RowUpdate) -> bool:
                goes_on.wait(30)
                return super().renew(update)

        seconds = 3.0
        settings = quick_settings.model_copy(update={"lease_seconds": seconds})
        child = _start(tmp_path, LONG)
        started = time.monotonic()
        hanging = Hanging(database, settings, lease.fence)
        watching = threading.Thread(target=_expect_loss, args=(child, hanging))
        watching.start()
        wait_for(lambda: not _is_running(child.pid), seconds=seconds, what="the child is killed")
        assert time.monotonic() - started < seconds
        goes_on.set()
        watching.join(10)

    def test_keeps_the_lease_while_results_are_moved(
        self, lease: Lease, database: Database, quick_settings: Settings
    ) -> None:
        settings = quick_settings.model_copy(update={"lease_seconds": 0.5})
        with Lease(database, settings, lease.fence).kept():
            time.sleep(1.0)
            with database.unit_of_work() as session:
                assert LeaseRepository(session).expired() == []
        time.sleep(0.6)
        with database.unit_of_work() as session:
            assert [job.id for job in LeaseRepository(session).expired()] == [lease.fence.job_id]

    def test_prolongs_the_lease_with_each_transaction(
        self, lease: Lease, database: Database, quick_settings: Settings
    ) -> None:
        owned = Lease(
            database, quick_settings.model_copy(update={"lease_seconds": 600}), lease.fence
        )
        before = _job(database, lease).lease_until
        with owned.transaction(stage="store") as session:
            session.get_one(Job, lease.fence.job_id).fraction = 0.5
        job = _job(database, lease)
        assert before is not None
        assert job.lease_until is not None
        assert job.lease_until - before > 300
        assert (job.stage, job.fraction) == ("store", 0.5)

    def test_opens_no_transaction_once_another_worker_owns_the_job(
        self, lease: Lease, database: Database
    ) -> None:
        with database.unit_of_work() as session:
            session.get_one(Job, lease.fence.job_id).attempt = 7
        with pytest.raises(FencedError), lease.transaction():
            pytest.fail("the block is not entered")
        with pytest.raises(FencedError), lease.transaction(stage="store"):
            pytest.fail("the block is not entered")
        assert _job(database, lease).stage != "store"

    def test_goes_on_keeping_the_lease_whatever_goes_wrong_once(
        self, lease: Lease, database: Database, quick_settings: Settings
    ) -> None:
        class Stumbling(Lease):
            num_calls = 0

            @override
            def renew(self, update: RowUpdate) -> bool:
                self.num_calls += 1
                if self.num_calls == 1:
                    raise RuntimeError("a bug of ours")
                return super().renew(update)

        stumbling = Stumbling(database, quick_settings, lease.fence)
        with stumbling.kept():
            wait_for(lambda: stumbling.num_calls > 2, seconds=10, what="further renewals")


def _expect_loss(child: ChildProcess, lease: Lease) -> None:
    with pytest.raises(ChildLostError):
        _watch(child, lease)


class TestChildProcess:
    def test_has_ended_for_us_whatever_it_wrote(self, tmp_path: Path) -> None:
        child = _start(tmp_path, {"stdout": "[" * 100_000 + "\n"}, PROGRESS)
        try:
            assert child.next_event(10) == PROGRESS["emit"]
            with pytest.raises(EOFError):
                child.next_event(10)
        finally:
            child.kill()

    def test_sees_only_the_gpu_it_is_given(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1,2")
        write_json(tmp_path / "spec.json", {"steps": [LONG]})
        child = ChildProcess("tests.support.fake_child", tmp_path / "spec.json", device="2")
        try:
            environment = wait_for(
                Path(f"/proc/{child.pid}/environ").read_bytes, seconds=5, what="the child runs"
            )
        finally:
            child.kill()
        assert b"CUDA_VISIBLE_DEVICES=2\0" in environment

    def test_gets_no_secret_of_ours(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("LABELAUDIT_DATABASE_URL", "postgresql://u:password@host/db")
        child = _start(tmp_path, LONG)
        try:
            environment = wait_for(
                Path(f"/proc/{child.pid}/environ").read_bytes, seconds=5, what="the child runs"
            )
        finally:
            child.kill()
        assert b"PATH=" in environment
        assert b"LABELAUDIT" not in environment
