from collections.abc import Iterator
from uuid import uuid4

import pytest
from sqlalchemy.orm import Session

from app.core.db import Database
from app.jobs.repository import JobFilter, JobRepository
from app.models import Job, JobState, Queue
from tests.support.rows import make_dataset, make_job, make_tenant


@pytest.fixture
def session(database: Database) -> Iterator[Session]:
    with database.unit_of_work() as session:
        yield session


@pytest.fixture
def job(session: Session) -> Job:
    return make_job(session, make_dataset(session, make_tenant(session).id))


@pytest.fixture
def jobs(session: Session, job: Job) -> JobRepository:
    return JobRepository(session, job.tenant_id)


class TestTransitions:
    @pytest.mark.parametrize("state", list(JobState))
    def test_each_starts_from_its_own_states_only(
        self, session: Session, jobs: JobRepository, job: Job, state: JobState
    ) -> None:
        job.state = state
        session.flush()
        with session.begin_nested() as nested:
            assert jobs.mark_cancelled(job) == (state == JobState.QUEUED)
            nested.rollback()
        with session.begin_nested() as nested:
            assert jobs.request_cancel(job) == (state == JobState.RUNNING)
            nested.rollback()
        may_retry = state in {JobState.FAILED, JobState.CANCELLED}
        assert jobs.mark_requeued(job, Queue.GPU) == may_retry

    def test_are_events(self, jobs: JobRepository, job: Job) -> None:
        jobs.mark_cancelled(job)
        jobs.mark_requeued(job, Queue.GPU)
        events = jobs.events_after(job.id, 0, limit=10)
        assert [(event.seq, event.data["state"]) for event in events] == [
            (1, "cancelled"),
            (2, "queued"),
        ]

    def test_of_another_tenant_do_nothing(
        self, session: Session, jobs: JobRepository, job: Job
    ) -> None:
        others = JobRepository(session, uuid4())
        assert not others.mark_cancelled(job)
        assert not others.request_cancel(job)
        assert not others.mark_requeued(job, Queue.GPU)
        assert others.get(job.id) is None
        assert others.lock(job.id) is None
        assert others.newest(JobFilter(), after=None, limit=10) == []
        assert others.events_after(job.id, 0, limit=10) == []
        assert jobs.get(job.id) is job
        assert job.state == JobState.QUEUED
