"""What one tenant's receivers do keeps no message of another tenant, nor of its own for long."""

import threading
from collections.abc import Iterator
from uuid import UUID

import pytest
from sqlalchemy import delete, select, update

from app.core.db import Database
from app.core.settings import Settings
from app.models import Tenant, Webhook, WebhookDelivery
from tests.support.receivers import BabblingReceiver, HeldReceiver, Receiver, TricklingReceiver
from tests.support.rows import make_tenant
from tests.support.waiting import wait_for
from worker.runtime import webhook_post, webhooks
from worker.runtime.webhooks import Deliverer

PEPPER = b"pepper"
PATIENCE = 30.0


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    receiver = Receiver()
    yield receiver
    receiver.close()


@pytest.fixture
def held() -> Iterator[HeldReceiver]:
    receiver = HeldReceiver()
    yield receiver
    receiver.close()


@pytest.fixture
def tenants(database: Database) -> tuple[Tenant, Tenant]:
    with database.unit_of_work() as session:
        return make_tenant(session, "theirs"), make_tenant(session, "ours")


@pytest.fixture
def deliverer(database: Database, settings: Settings) -> Iterator[Deliverer]:
    """One that also sends to this machine, and ends with the test."""
    anywhere = settings.model_copy(update={"webhook_targets": "any"})
    stopping = threading.Event()
    deliverer = Deliverer(database, anywhere, PEPPER, stopping)
    yield deliverer
    stopping.set()
    assert deliverer.wait(PATIENCE)


def _announce(database: Database, tenant: Tenant, url: str, *, num: int = 1) -> UUID:
    """Have messages due, the first ones first."""
    with database.unit_of_work() as session:
        webhook = Webhook(tenant_id=tenant.id, url=url)
        session.add(webhook)
        session.flush()
        earlier = session.query(WebhookDelivery).count()
        session.add_all(
            WebhookDelivery(
                tenant_id=tenant.id,
                webhook_id=webhook.id,
                payload={"number": number},
                next_at=float(earlier + number),
            )
            for number in range(num)
        )
    return webhook.id


def _rows(database: Database, webhook_id: UUID) -> list[WebhookDelivery]:
    wanted = select(WebhookDelivery).where(WebhookDelivery.webhook_id == webhook_id)
    with database.read() as session:
        return list(session.scalars(wanted))


def _answer(database: Database, webhook_id: UUID) -> str:
    """Return what became of the one message to a webhook."""
    [row] = _rows(database, webhook_id)
    return row.last_answer or ""


class TestTrouble:
    """Told in the row of the message; the next one goes out."""

    def test_with_a_host_that_no_lookup_takes(
        self,
        database: Database,
        deliverer: Deliverer,
        receiver: Receiver,
        tenants: tuple[Tenant, Tenant],
    ) -> None:
        theirs, ours = tenants
        broken = _announce(database, theirs, "https://a..b/")
        good = _announce(database, ours, receiver.url)
        deliverer.start_due()
        assert deliverer.wait(PATIENCE)
        [failed] = _rows(database, broken)
        assert (failed.num_tries, failed.delivered_at) == (1, None)
        assert "InvalidWebhookUrlError" in (failed.last_answer or "")
        assert _answer(database, good) == "status 200"

    def test_with_an_answer_that_no_database_stores(
        self, database: Database, deliverer: Deliverer, tenants: tuple[Tenant, Tenant]
    ) -> None:
        babbling = BabblingReceiver()
        try:
            webhook_id = _announce(database, tenants[0], babbling.url)
            deliverer.start_due()
            assert deliverer.wait(PATIENCE)
        finally:
            babbling.close()
        assert "who is there?" in _answer(database, webhook_id)

    @pytest.mark.parametrize(
        "begin",
        [b"", b"HTTP/1.1 200 OK\r\nX-Long: ", b"HTTP/1.1 200 OK\r\nContent-Length: 60000\r\n\r\n"],
        ids=["status", "headers", "body"],
    )
    def test_with_a_reply_that_never_ends(
        self,
        database: Database,
        deliverer: Deliverer,
        tenants: tuple[Tenant, Tenant],
        monkeypatch: pytest.MonkeyPatch,
        begin: bytes,
    ) -> None:
        monkeypatch.setattr(webhook_post, "PATIENCE_SECONDS", 0.5)
        trickling = TricklingReceiver(begin)
        try:
            webhook_id = _announce(database, tenants[0], trickling.url)
            deliverer.start_due()
            assert deliverer.wait(PATIENCE)
        finally:
            trickling.close()
        assert "TimeoutError" in _answer(database, webhook_id)


class TestPlaces:
    def test_of_a_slow_tenant_leave_others_theirs(
        self,
        database: Database,
        deliverer: Deliverer,
        held: HeldReceiver,
        receiver: Receiver,
        tenants: tuple[Tenant, Tenant],
    ) -> None:
        theirs, ours = tenants
        _announce(database, theirs, held.url, num=12)
        quick = _announce(database, ours, receiver.url, num=3)
        deliverer.start_due()
        wait_for(
            lambda: all(row.delivered_at for row in _rows(database, quick)),
            seconds=PATIENCE,
            what="our messages",
        )
        # One connection of theirs, which still waits for its answer.
        assert held.num_asked == 1
        held.ended.set()

    def test_are_taken_in_turns(
        self,
        database: Database,
        deliverer: Deliverer,
        receiver: Receiver,
        tenants: tuple[Tenant, Tenant],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setattr(webhooks, "_NUM_PLACES", 1)
        theirs, ours = tenants
        _announce(database, theirs, f"{receiver.url}/theirs", num=3)
        _announce(database, ours, f"{receiver.url}/ours", num=2)
        deliverer.start_due()
        assert deliverer.wait(PATIENCE)
        names = [path.rsplit("/", 1)[1] for path in receiver.paths]
        assert names == ["theirs", "ours", "theirs", "ours", "theirs"]

    @pytest.mark.parametrize("change", ["deleted", "disabled"])
    def test_are_not_taken_for_a_webhook_that_is_gone(
        self,
        database: Database,
        deliverer: Deliverer,
        held: HeldReceiver,
        tenants: tuple[Tenant, Tenant],
        change: str,
    ) -> None:
        webhook_id = _announce(database, tenants[0], held.url, num=3)
        deliverer.start_due()
        assert held.asked.acquire(timeout=PATIENCE)
        with database.unit_of_work() as session:
            if change == "deleted":
                session.execute(delete(Webhook).where(Webhook.id == webhook_id))
            else:
                now = Webhook.created_at
                session.execute(update(Webhook).values(disabled_at=now))
        held.ended.set()
        assert deliverer.wait(PATIENCE)
        assert held.num_asked == 1
