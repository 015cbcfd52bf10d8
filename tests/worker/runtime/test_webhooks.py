"""Messages to real receivers on this machine."""

import base64
import hashlib
import hmac
import json
import threading
from collections.abc import Iterator

import pytest
from sqlalchemy import update

from app.core.db import Database
from app.core.settings import Settings
from app.jobs.lease_repository import Fence, LeaseRepository
from app.models import JobState, Queue, Webhook, WebhookDelivery
from app.webhooks.delivery import secret_of
from tests.support.receivers import Receiver
from tests.support.rows import make_dataset, make_job, make_tenant
from worker.runtime.webhooks import RETRY_SECONDS, Deliverer, retry_pause

PEPPER = b"pepper"


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    receiver = Receiver()
    yield receiver
    receiver.close()


@pytest.fixture
def webhook(database: Database, receiver: Receiver) -> Webhook:
    """A receiver that waits for the end of one job."""
    with database.unit_of_work() as session:
        dataset = make_dataset(session, make_tenant(session).id)
        make_job(session, dataset)
        webhook = Webhook(tenant_id=dataset.tenant_id, url=receiver.url)
        session.add(webhook)
    return webhook


@pytest.fixture
def deliverer(database: Database, settings: Settings) -> Deliverer:
    """One that also sends to this machine."""
    anywhere = settings.model_copy(update={"webhook_targets": "any"})
    return Deliverer(database, anywhere, PEPPER, threading.Event())


def _end_job(database: Database) -> None:
    with database.unit_of_work() as session:
        leases = LeaseRepository(session)
        job = leases.claim_next(Queue.GPU, owner="me", lease_seconds=60)
        assert job is not None
        fence = Fence(job.id, job.attempt, "me")
        leases.finish(fence, JobState.FAILED, error_code="diverged", error_detail="no luck")


def _deliver(deliverer: Deliverer) -> None:
    """Send all that is due."""
    deliverer.start_due()
    assert deliverer.wait(30)


def _delivery(database: Database) -> WebhookDelivery:
    with database.read() as session:
        return session.query(WebhookDelivery).one()


def _make_due(database: Database) -> None:
    with database.unit_of_work() as session:
        session.execute(update(WebhookDelivery).values(next_at=0.0))


class TestDelivery:
    def test_is_signed_as_standard_webhooks_are(
        self, database: Database, deliverer: Deliverer, receiver: Receiver, webhook: Webhook
    ) -> None:
        _end_job(database)
        _deliver(deliverer)
        [(headers, body)] = receiver.requests
        content = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
        mac = hmac.digest(secret_of(PEPPER, webhook.id), content, hashlib.sha256)
        assert headers["webhook-signature"] == "v1," + base64.b64encode(mac).decode()
        message = json.loads(body)
        assert message["type"] == "job.failed"
        assert message["data"]["error_code"] == "diverged"
        row = _delivery(database)
        assert (str(row.id), row.last_answer) == (headers["webhook-id"], "status 200")
        assert row.delivered_at is not None
        _deliver(deliverer)
        assert len(receiver.requests) == 1

    def test_is_tried_again_after_a_failure(
        self, database: Database, deliverer: Deliverer, receiver: Receiver, webhook: Webhook
    ) -> None:
        receiver.status = 500
        _end_job(database)
        _deliver(deliverer)
        _deliver(deliverer)
        assert len(receiver.requests) == 1
        _make_due(database)
        receiver.status = 204
        _deliver(deliverer)
        ids = [headers["webhook-id"] for headers, _ in receiver.requests]
        assert ids == [ids[0]] * 2
        row = _delivery(database)
        assert (row.num_tries, row.delivered_at is not None) == (2, True)
        assert row.webhook_id == webhook.id

    def test_ends_for_good_when_the_receiver_is_gone(
        self, database: Database, deliverer: Deliverer, receiver: Receiver, webhook: Webhook
    ) -> None:
        receiver.status = 410
        _end_job(database)
        _deliver(deliverer)
        with database.read() as session:
            assert session.get_one(Webhook, webhook.id).disabled_at is not None
        assert _delivery(database).next_at is None

    def test_follows_no_redirect(
        self, database: Database, deliverer: Deliverer, receiver: Receiver, webhook: Webhook
    ) -> None:
        receiver.status, receiver.headers = 307, {"Location": receiver.url}
        _end_job(database)
        _deliver(deliverer)
        assert len(receiver.requests) == 1
        assert _delivery(database).last_answer == "status 307"
        assert webhook.url == receiver.url

    def test_never_reaches_into_our_own_network(
        self, database: Database, settings: Settings, receiver: Receiver, webhook: Webhook
    ) -> None:
        with database.unit_of_work() as session:
            url = webhook.url.replace("http:", "https:")
            session.execute(update(Webhook).values(url=url))
        _end_job(database)
        _deliver(Deliverer(database, settings, PEPPER, threading.Event()))
        assert receiver.requests == []
        assert "not public" in (_delivery(database).last_answer or "")

    def test_waits_while_the_receiver_is_down(
        self, database: Database, deliverer: Deliverer, receiver: Receiver, webhook: Webhook
    ) -> None:
        with database.unit_of_work() as session:
            session.execute(update(Webhook).values(url="http://127.0.0.1:9/"))
        _end_job(database)
        _deliver(deliverer)
        row = _delivery(database)
        assert "ConnectionRefusedError" in (row.last_answer or "")
        assert row.next_at is not None
        assert (row.webhook_id, receiver.requests) == (webhook.id, [])


def test_tries_go_on_for_days_and_then_end() -> None:
    pauses = [retry_pause(number) for number in range(1, len(RETRY_SECONDS) + 2)]
    assert pauses[-1] is None
    assert sum(pause for pause in pauses if pause is not None) > 3 * 24 * 3600
