"""A reader sees the database as it was at one moment, on both engines."""

from contextlib import ExitStack

import pytest
from sqlalchemy import func, select

from app.core.db import Database
from app.jobs.lease_repository import LeaseRepository
from app.jobs.repository import TurnRepository
from app.models import JobState, Queue, Tenant
from tests.support.rows import make_dataset, make_job, make_tenant


def test_a_job_that_is_claimed_meanwhile_still_waits_for_who_began_to_read(
    database: Database,
) -> None:
    with database.unit_of_work() as session:
        job = make_job(session, make_dataset(session, make_tenant(session).id))
    with database.read() as reading:
        turns = TurnRepository(reading)
        assert turns.waiting(job.tenant_id, Queue.GPU) == [job.id]
        with database.unit_of_work() as session:
            assert LeaseRepository(session).claim_next(Queue.GPU, owner="me", lease_seconds=60)
        [turn] = turns.turns(Queue.GPU)
        assert turn.num_waiting == 1
    with database.read() as reading:
        assert TurnRepository(reading).turns(Queue.GPU) == []


def test_a_writer_still_sees_what_others_have_committed(database: Database) -> None:
    with database.read() as reading:
        LeaseRepository(reading).count_queued()  # the connection goes back to the pool
    with database.unit_of_work() as session:
        job = make_job(session, make_dataset(session, make_tenant(session).id))
    with database.unit_of_work() as session:
        assert session.get_one(type(job), job.id).state is JobState.QUEUED
        if database.engine.dialect.name == "postgresql":
            level = session.connection().get_isolation_level()
            assert level == "READ COMMITTED"


def test_one_question_sees_what_is_committed_but_not_over_a_wall(database: Database) -> None:
    with database.unit_of_work() as session:
        tenant_id = make_tenant(session).id
    with database.ask() as session:
        assert session.get(Tenant, tenant_id) is not None
    with pytest.raises(RuntimeError), database.of_tenant(tenant_id).ask():
        pass


def test_what_needs_one_connection_uses_the_same_one_again(database: Database) -> None:
    with ExitStack() as many:
        for _ in range(5):
            many.enter_context(database.engine.connect())
    used = set()
    for _ in range(10):
        with database.engine.connect() as connection:
            used.add(id(connection.connection.dbapi_connection))
    assert len(used) == 1


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_a_connection_that_died_while_idle_is_replaced(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    with database.ask() as dying, database.ask() as killer:
        number = dying.scalar(select(func.pg_backend_pid()))
        killer.execute(select(func.pg_terminate_backend(number)))
    monkeypatch.setattr("app.core.db._TRUSTED_SECONDS", 0.0)
    for _ in range(2):
        with database.read() as session:
            assert session.scalar(select(func.pg_backend_pid())) != number
