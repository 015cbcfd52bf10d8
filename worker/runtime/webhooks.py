"""Delivers messages to receivers; part of the sweeper's process, in threads of its own."""

import json
import random
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

import structlog

from app.core.background import BackgroundLoop, log_failure
from app.core.db import Database
from app.core.settings import Settings
from app.webhooks.delivery import parse_target, secret_of, signed_headers
from app.webhooks.repository import OutboxRepository
from worker.runtime.webhook_post import post

RETRY_SECONDS = (5, 300, 1800, 7200, 18_000, 36_000, 50_400, 72_000, 86_400)
"""Three days in all, as the Standard Webhooks specification advises."""
_NUM_PLACES = 8
"""Messages under way at once, each of another tenant."""
_HOLD_SECONDS = 60.0
_GONE = 410
_PAUSE_SECONDS = 1.0
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Message:
    """One message to one receiver."""

    id: UUID
    tenant_id: UUID
    webhook_id: UUID
    url: str
    body: bytes
    num_tries: int


class Deliverer:
    """Sends what is due. Any number may run; a receiver may get a message twice, never none.

    A tenant has one place: whatever its receivers do, they hold up no one else's messages.
    """

    def __init__(
        self, database: Database, settings: Settings, pepper: bytes, stopping: threading.Event
    ) -> None:
        """Sign with secrets derived from `pepper`; begin with nothing more once `stopping`."""
        self._database = database
        self._private_allowed = settings.webhook_targets == "any"
        self._pepper = pepper
        self._stopping = stopping
        self._loop = BackgroundLoop("webhooks", self.start_due, seconds=_PAUSE_SECONDS)
        self._changed = threading.Condition()
        self._at_work: set[UUID] = set()
        """Tenants whose place is taken."""
        self._last_turns: dict[UUID, float] = {}

    def start(self) -> None:
        """Look for what is due until told to stop."""
        self._loop.start(self._stopping)

    def start_due(self) -> None:
        """Begin with the next message of each tenant that has one due and its place free."""
        with self._changed:
            for tenant_id in self._next_tenants():
                message = self._claim(tenant_id)
                if message is not None:
                    work = threading.Thread(target=self._serve, args=(message,), daemon=True)
                    work.start()
                    self._at_work.add(tenant_id)

    def wait(self, seconds: float) -> bool:
        """Wait until nothing is under way; return whether that came in time."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._at_work, seconds)

    def _next_tenants(self) -> Sequence[UUID]:
        """Return whose turn it is: who had one longest ago, first."""
        num_free = _NUM_PLACES - len(self._at_work)
        if self._stopping.is_set() or num_free == 0:
            return []
        with self._database.read() as session:
            due = OutboxRepository(session).tenants_due()
        turns = self._last_turns
        self._last_turns = {tenant: turns.get(tenant, 0.0) for tenant in due}
        waiting = [tenant for tenant in due if tenant not in self._at_work]
        chosen = sorted(waiting, key=self._last_turns.__getitem__)[:num_free]
        self._last_turns |= dict.fromkeys(chosen, time.monotonic())
        return chosen

    def _claim(self, tenant_id: UUID) -> Message | None:
        """Take a message, and let nobody wait for a receiver inside a transaction."""
        with self._database.unit_of_work() as session:
            outbox = OutboxRepository(session)
            row = outbox.claim_due(tenant_id, hold_seconds=_HOLD_SECONDS)
            if row is None:
                return None
            url = outbox.url_of(row)
            if url is None:
                outbox.mark_failed(row.id, "the receiver is gone", retry_after=None)
                return None
            body = json.dumps(row.payload, separators=(",", ":")).encode()
            return Message(row.id, tenant_id, row.webhook_id, url, body, row.num_tries)

    def _serve(self, message: Message) -> None:
        """See one message through, then let the next one begin."""
        try:
            self._deliver(message)
        except Exception as error:  # noqa: BLE001 - the message comes again when its hold is over
            log_failure("webhook", error, webhook_id=str(message.webhook_id))
        with self._changed:
            self._at_work.discard(message.tenant_id)
            self._loop.do_once()
            self._changed.notify_all()

    def _deliver(self, message: Message) -> None:
        try:
            status = self._post(message)
            answer = f"status {status}"
        except Exception as error:  # noqa: BLE001 - what a tenant's URL or receiver brings about
            status, answer = None, _described(error)
        with self._database.unit_of_work() as session:
            outbox = OutboxRepository(session)
            if status is not None and status // 100 == 2:
                outbox.mark_delivered(message.id, answer)
                return
            outbox.mark_failed(message.id, answer, retry_after=retry_pause(message.num_tries))
            if status == _GONE:
                outbox.disable(message.webhook_id)
        _log.info("webhook_failed", webhook_id=str(message.webhook_id), answer=answer)

    def _post(self, message: Message) -> int:
        target = parse_target(message.url, private_allowed=self._private_allowed)
        secret = secret_of(self._pepper, message.webhook_id)
        headers = signed_headers(secret, str(message.id), int(time.time()), message.body)
        headers |= {"Content-Type": "application/json", "User-Agent": "labelaudit-webhooks"}
        return post(target, message.body, headers, private_allowed=self._private_allowed)


def _described(error: Exception) -> str:
    """Say what went wrong; the text may be the receiver's, and PostgreSQL stores no NUL."""
    text = f"{type(error).__name__}: {error}"[:200]
    return "".join(
        letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in text
    )


def retry_pause(num_tries: int) -> float | None:
    """Return the seconds until the next try, a little apart for each; None to give up."""
    if num_tries > len(RETRY_SECONDS):
        return None
    return RETRY_SECONDS[num_tries - 1] * random.uniform(1.0, 1.1)  # noqa: S311 - no secret
