"""The sweeper's process, with something wrong in each of its tasks."""

from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from app.core.db import Database, make_engine
from app.models import DatasetState, Job, JobState, Tenant, Webhook, WebhookDelivery
from tests.support.receivers import Receiver
from tests.support.rows import make_dataset, make_job, make_tenant
from tests.support.stack import Stack
from tests.support.waiting import wait_for


@pytest.fixture
def stack(tmp_path: Path) -> Iterator[Stack]:
    """A service whose processes do not run yet."""
    stack = Stack(tmp_path, {"LABELAUDIT_WEBHOOK_TARGETS": "any"})
    stack.call("db", "upgrade")
    yield stack
    stack.end_all()


@pytest.fixture
def database(stack: Stack) -> Iterator[Database]:
    opened = Database(make_engine(f"sqlite:///{stack.data_dir / 'labelaudit.db'}"))
    yield opened
    opened.dispose()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    receiver = Receiver()
    yield receiver
    receiver.close()


def _announce(database: Database, tenant: Tenant, url: str) -> None:
    with database.unit_of_work() as session:
        webhook = Webhook(tenant_id=tenant.id, url=url)
        session.add(webhook)
        session.flush()
        session.add(
            WebhookDelivery(
                tenant_id=tenant.id, webhook_id=webhook.id, payload={}, next_at=0.0
            )
        )  # fmt: skip


def test_goes_on_whatever_fails(stack: Stack, database: Database, receiver: Receiver) -> None:
    with database.unit_of_work() as session:
        theirs, ours = make_tenant(session, "theirs"), make_tenant(session, "ours")
        stuck = make_dataset(session, theirs.id, state=DatasetState.DELETING)
        dataset = make_dataset(session, ours.id)
        job = make_job(session, dataset, state=JobState.RUNNING, owner="gone", lease_until=1.0)
    for nothing_to_unlink in (
        stack.data_dir / "uploads" / str(stuck.id),
        stack.data_dir / "incoming" / "resumable" / f"{uuid4()}.part",
    ):
        nothing_to_unlink.mkdir(parents=True)
    _announce(database, theirs, "https://a..b/")
    _announce(database, ours, receiver.url)

    def state() -> JobState:
        with database.read() as session:
            return session.get_one(Job, job.id).state

    sweeper = stack.start("sweeper")
    wait_for(lambda: state() is JobState.QUEUED, seconds=60, what="the lease is ended")
    wait_for(lambda: len(receiver.requests) == 1, seconds=60, what="our message")
    wait_for(lambda: "work=removal" in stack.log("sweeper"), seconds=60, what="a failed removal")
    _announce(database, ours, receiver.url)
    wait_for(lambda: len(receiver.requests) == 2, seconds=60, what="our next message")
    assert "work=leftovers" in stack.log("sweeper")
    assert sweeper.poll() is None
    assert stack.end("sweeper") == 0
