"""RELIABILITY test 39: a database of the first version, with a job that was running."""

from collections.abc import Iterator
from uuid import UUID

import pytest
from alembic import command
from alembic.script import ScriptDirectory
from celery import Celery

from app.core.clock import utc_now
from app.core.db import Database, make_engine
from app.core.migrate import is_current, make_config, upgrade
from app.core.queue import WakeUps
from app.core.settings import Settings
from app.jobs.lease_repository import LeaseRepository
from app.models import Job, JobState, Queue
from tests.support.rows import make_dataset, make_job, make_tenant
from worker.runtime.sweeper import Sweeper


@pytest.fixture
def first_version(settings: Settings) -> Iterator[tuple[Database, UUID]]:
    """The old schema, where a worker has just gone down with the old program."""
    database = Database(make_engine(settings.resolved_database_url))
    with database.unit_of_work() as session:
        dataset = make_dataset(session, make_tenant(session).id)
        job = make_job(
            session, dataset, state=JobState.RUNNING, stage="train", owner="old", attempt=1,
            lease_until=1.0, checkpoint="jobs/x/attempt-1-train/checkpoints/epoch-00003",
        )  # fmt: skip
    with database.engine.begin() as connection:
        config = make_config(connection)
        first = ScriptDirectory.from_config(config).get_base()
        assert first is not None
        command.downgrade(config, first)
    yield database, job.id
    database.dispose()


def test_a_running_job_goes_on_after_the_upgrade(
    first_version: tuple[Database, UUID], settings: Settings
) -> None:
    database, job_id = first_version
    upgrade(settings.resolved_database_url)
    assert is_current(database)

    Sweeper(database, settings, WakeUps(Celery("test"))).end_expired_leases()
    with database.unit_of_work() as session:
        job = LeaseRepository(session).claim_next(Queue.GPU, owner="new", lease_seconds=60)
        assert job is not None
        assert (job.id, job.attempt, job.lost_attempts) == (job_id, 2, 1)
        assert job.checkpoint is not None
        assert job.created_at <= utc_now()
    with database.read() as session:
        assert session.get_one(Job, job_id).state is JobState.RUNNING
