"""Tenants take turns, and everybody is told the place in the queue that they really have."""

from datetime import timedelta
from uuid import UUID

import pytest
from celery import Celery

from app.core.clock import utc_now
from app.core.db import Database
from app.core.queue import WakeUps
from app.jobs.lease_repository import Fence, LeaseRepository
from app.jobs.service import JobService
from app.models import Job, JobState, Queue
from tests.support.rows import make_dataset, make_job, make_tenant

WAKE_UPS = WakeUps(Celery("test", broker="memory://"))


def _queue_jobs(database: Database, *counts: int) -> list[list[UUID]]:
    """Queue jobs for tenants one after the other; return their ids by tenant."""
    now = utc_now()
    queued = []
    with database.unit_of_work() as session:
        for number, count in enumerate(counts):
            dataset = make_dataset(session, make_tenant(session, f"tenant {number}").id)
            queued.append(
                [
                    make_job(
                        session, dataset, queued_at=now + timedelta(seconds=100 * number + i)
                    ).id
                    for i in range(count)
                ]
            )
    return queued


def _serve_next(database: Database, *, state: JobState = JobState.SUCCEEDED) -> UUID | None:
    """Claim and finish one job, as a single slot does."""
    with database.unit_of_work() as session:
        leases = LeaseRepository(session)
        job = leases.claim_next(Queue.GPU, owner="me", lease_seconds=60)
        if job is None:
            return None
        leases.finish(Fence(job.id, job.attempt, "me"), state)
        return job.id


def _serve_all(database: Database) -> list[UUID]:
    served = []
    while (job_id := _serve_next(database)) is not None:
        served.append(job_id)
    return served


def _positions(database: Database) -> dict[UUID, int | None]:
    with database.read() as session:
        jobs = list(session.query(Job).filter_by(state=JobState.QUEUED))
        return {
            job.id: JobService(session, job.tenant_id, WAKE_UPS).read(str(job.id)).queue_position
            for job in jobs
        }


class TestTurns:
    def test_a_tenant_with_many_jobs_does_not_delay_another_ones_first(
        self, database: Database
    ) -> None:
        many, [first] = _queue_jobs(database, 100, 1)
        assert [_serve_next(database), _serve_next(database)] == [many[0], first]

    @pytest.mark.parametrize("counts", [(1,), (3, 3), (5, 2, 1), (1, 4, 2, 4)])
    def test_places_are_those_in_which_jobs_are_served(
        self, database: Database, counts: tuple[int, ...]
    ) -> None:
        _queue_jobs(database, *counts)
        expected: list[UUID] = []
        for _ in range(min(2, sum(counts))):
            places = _positions(database)
            expected = sorted(places, key=lambda job_id: places[job_id] or 0)
            assert sorted(places.values()) == list(range(1, len(places) + 1))  # type: ignore[type-var] # None would fail here
            served = _serve_next(database)  # then look again from the middle of a round
            assert served == expected[0]
        assert _serve_all(database) == expected[1:]

    def test_a_running_job_has_no_place(self, database: Database) -> None:
        [[job_id]] = _queue_jobs(database, 1)
        with database.unit_of_work() as session:
            LeaseRepository(session).claim_next(Queue.GPU, owner="me", lease_seconds=60)
        with database.read() as session:
            job = session.get_one(Job, job_id)
            assert (
                JobService(session, job.tenant_id, WAKE_UPS).read(str(job_id)).queue_position
                is None
            )
