"""What becomes of a job, by how its attempt ended."""

import errno
import os
import signal

import pytest
from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from app.core.db import Database
from app.core.disk import is_disk_full
from app.jobs.lease_repository import FencedError, LeaseRepository
from app.models import Job, JobState, Queue
from tests.support.rows import make_dataset, make_job, make_tenant
from worker.processes.errors import CancelledError, ChildFailedError, ChildLostError, DrainedError
from worker.runtime.claim import Attempt
from worker.runtime.endings import ending_of

SEGFAULT = ChildLostError("exit code -11", exit_code=-signal.SIGSEGV)
KILLED = ChildLostError("exit code -9", exit_code=-signal.SIGKILL)


@pytest.fixture
def attempt(database: Database) -> Attempt:
    """Return a claim on a job that has one lost attempt left to lose."""
    with database.unit_of_work() as session:
        make_job(session, make_dataset(session, make_tenant(session).id), lost_attempts=1)
    with database.unit_of_work() as session:
        job = LeaseRepository(session).claim_next(Queue.GPU, owner="me", lease_seconds=60)
        assert job is not None
        return Attempt.of(job)


def _end(
    database: Database, attempt: Attempt, error: Exception, *, reads_upload: bool = False
) -> Job:
    ending = ending_of(error, attempt, max_attempts=3, reads_upload=reads_upload)
    with database.unit_of_work() as session:
        ending(LeaseRepository(session))
    with database.read() as session:
        return session.get_one(Job, attempt.fence.job_id)


def _out_of_space(number: int) -> OSError:
    return OSError(number, os.strerror(number))


class TestEnding:
    @pytest.mark.parametrize(
        ("error", "state", "code"),
        [
            (CancelledError(), JobState.CANCELLED, None),
            (ChildFailedError("diverged", "loss is not finite"), JobState.FAILED, "diverged"),
            (_out_of_space(errno.ENOSPC), JobState.FAILED, "no_space"),
            (_out_of_space(errno.EDQUOT), JobState.FAILED, "no_space"),
            (KILLED, JobState.QUEUED, None),
            (SEGFAULT, JobState.QUEUED, None),
            (KeyError("a bug of ours"), JobState.QUEUED, None),
        ],
        ids=["cancel", "failure", "full disk", "over quota", "kill", "crash of a training", "bug"],
    )
    def test_has_a_stable_code(
        self,
        database: Database,
        attempt: Attempt,
        error: Exception,
        state: JobState,
        code: str | None,
    ) -> None:
        job = _end(database, attempt, error)
        assert (job.state, job.error_code) == (state, code)
        assert job.lease_until is None

    def test_of_a_worker_that_shuts_down_costs_no_attempt(
        self, database: Database, attempt: Attempt
    ) -> None:
        job = _end(database, attempt, DrainedError())
        assert (job.state, job.lost_attempts) == (JobState.QUEUED, 1)

    def test_of_a_reader_that_crashed_blames_the_upload(
        self, database: Database, attempt: Attempt
    ) -> None:
        job = _end(database, attempt, SEGFAULT, reads_upload=True)
        assert (job.state, job.error_code) == (JobState.FAILED, "invalid_dataset")

    def test_of_a_reader_that_was_killed_does_not(
        self, database: Database, attempt: Attempt
    ) -> None:
        job = _end(database, attempt, KILLED, reads_upload=True)
        assert (job.state, job.lost_attempts) == (JobState.QUEUED, 2)

    def test_is_refused_once_somebody_else_owns_the_job(
        self, database: Database, attempt: Attempt
    ) -> None:
        with database.unit_of_work() as session:
            session.get_one(Job, attempt.fence.job_id).attempt = 7
        with pytest.raises(FencedError):
            _end(database, attempt, KILLED)
        with database.read() as session:
            job = session.get_one(Job, attempt.fence.job_id)
        assert (job.state, job.lost_attempts) == (JobState.RUNNING, 1)


def _fill_up(database: Database) -> None:
    with database.unit_of_work() as session:
        session.execute(text("PRAGMA max_page_count = 1"))
        session.execute(text("CREATE TABLE filler AS SELECT randomblob(1000000) AS junk"))


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
class TestFullDatabase:
    def test_is_told_from_other_trouble(self, database: Database) -> None:
        with pytest.raises(OperationalError) as full:
            _fill_up(database)
        assert is_disk_full(full.value)
        with database.read() as session, pytest.raises(OperationalError) as missing:
            session.execute(text("SELECT * FROM nowhere"))
        assert not is_disk_full(missing.value)

    def test_ends_a_job_with_no_space(self, database: Database, attempt: Attempt) -> None:
        with pytest.raises(OperationalError) as full:
            _fill_up(database)
        database.dispose()
        assert _end(database, attempt, full.value).error_code == "no_space"
