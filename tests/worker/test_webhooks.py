"""Messages to real receivers on this machine."""

import base64
import hashlib
import hmac
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest
from sqlalchemy import update
from typing_extensions import override

from app.core.db import Database
from app.core.settings import Settings
from app.jobs.lease_repository import Fence, LeaseRepository
from app.models import JobState, Queue, Webhook, WebhookDelivery
from app.webhooks.signing import secret_of
from tests.support.rows import make_dataset, make_job, make_tenant
from worker.webhooks import RETRY_SECONDS, Deliverer, retry_pause

PEPPER = b"pepper"


class Receiver:
    """Notes what arrives, and answers as it is told."""

    def __init__(self) -> None:
        self.requests: list[tuple[dict[str, str], bytes]] = []
        self.status = 200
        self.headers: dict[str, str] = {}
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                headers = {key.lower(): value for key, value in self.headers.items()}
                receiver.requests.append((headers, body))
                self.send_response(receiver.status)
                for name, value in receiver.headers.items():
                    self.send_header(name, value)
                self.end_headers()

            @override
            def log_message(self, format: str, *args: Any) -> None:
                """Say nothing."""

        self._server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/hook"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


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
    return Deliverer(database, settings.model_copy(update={"webhook_targets": "any"}), PEPPER)


def _end_job(database: Database) -> None:
    with database.unit_of_work() as session:
        leases = LeaseRepository(session)
        job = leases.claim_next(Queue.GPU, owner="me", lease_seconds=60)
        assert job is not None
        fence = Fence(job.id, job.attempt, "me")
        leases.finish(fence, JobState.FAILED, error_code="diverged", error_detail="no luck")


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
        assert deliverer.deliver_due() == 1
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
        assert deliverer.deliver_due() == 0

    def test_is_tried_again_after_a_failure(
        self, database: Database, deliverer: Deliverer, receiver: Receiver, webhook: Webhook
    ) -> None:
        receiver.status = 500
        _end_job(database)
        assert (deliverer.deliver_due(), deliverer.deliver_due()) == (1, 0)
        _make_due(database)
        receiver.status = 204
        deliverer.deliver_due()
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
        deliverer.deliver_due()
        with database.read() as session:
            assert session.get_one(Webhook, webhook.id).disabled_at is not None
        assert _delivery(database).next_at is None

    def test_follows_no_redirect(
        self, database: Database, deliverer: Deliverer, receiver: Receiver, webhook: Webhook
    ) -> None:
        receiver.status, receiver.headers = 307, {"Location": receiver.url}
        _end_job(database)
        deliverer.deliver_due()
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
        Deliverer(database, settings, PEPPER).deliver_due()
        assert receiver.requests == []
        assert "not public" in (_delivery(database).last_answer or "")

    def test_waits_while_the_receiver_is_down(
        self, database: Database, deliverer: Deliverer, receiver: Receiver, webhook: Webhook
    ) -> None:
        with database.unit_of_work() as session:
            session.execute(update(Webhook).values(url="http://127.0.0.1:9/"))
        _end_job(database)
        deliverer.deliver_due()
        row = _delivery(database)
        assert "ConnectionRefusedError" in (row.last_answer or "")
        assert row.next_at is not None
        assert (row.webhook_id, receiver.requests) == (webhook.id, [])


def test_tries_go_on_for_days_and_then_end() -> None:
    pauses = [retry_pause(number) for number in range(1, len(RETRY_SECONDS) + 2)]
    assert pauses[-1] is None
    assert sum(pause for pause in pauses if pause is not None) > 3 * 24 * 3600
