"""Delivers messages to receivers; part of the sweeper's process, in a thread of its own."""

import http.client
import json
import random
import socket
import ssl
import threading
import time
from dataclasses import dataclass
from uuid import UUID

import structlog
from typing_extensions import override

from app.core.db import DATABASE_ERRORS, Database
from app.core.settings import Settings
from app.webhooks.errors import InvalidWebhookUrlError
from app.webhooks.outbox_repository import OutboxRepository
from app.webhooks.signing import secret_of, signed_headers
from app.webhooks.targets import Target, parse_target, resolve

RETRY_SECONDS = (5, 300, 1800, 7200, 18_000, 36_000, 50_400, 72_000, 86_400)
"""Three days in all, as the Standard Webhooks specification advises."""
_TIMEOUT_SECONDS = 10.0
_HOLD_SECONDS = 60.0
_MAX_REPLY_BYTES = 64 * 1024
_BATCH = 4
_GONE = 410
_PAUSE_SECONDS = 1.0
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Message:
    """One message to one receiver."""

    id: UUID
    webhook_id: UUID
    url: str
    body: bytes
    num_tries: int


class Deliverer:
    """Sends what is due. Any number may run; a receiver may get a message twice, never none."""

    def __init__(self, database: Database, settings: Settings, pepper: bytes) -> None:
        """Sign with secrets derived from `pepper`."""
        self._database = database
        self._private_allowed = settings.webhook_targets == "any"
        self._pepper = pepper

    def run(self, stopping: threading.Event) -> None:
        """Deliver until told to stop."""
        while not stopping.is_set():
            try:
                num_sent = self.deliver_due()
            except DATABASE_ERRORS as error:
                _log.warning("webhooks_not_delivered", error=type(error).__name__)
                num_sent = 0
            if num_sent == 0:
                stopping.wait(_PAUSE_SECONDS)

    def deliver_due(self) -> int:
        """Send each message that is due once; return how many there were."""
        messages = self._claim()
        for message in messages:
            self._deliver(message)
        return len(messages)

    def _claim(self) -> list[Message]:
        """Take messages, and let nobody wait for a receiver inside a transaction."""
        messages = []
        with self._database.unit_of_work() as session:
            outbox = OutboxRepository(session)
            for row in outbox.claim_due(limit=_BATCH, hold_seconds=_HOLD_SECONDS):
                url = outbox.url_of(row)
                if url is None:
                    outbox.mark_failed(row.id, "the receiver is gone", retry_after=None)
                    continue
                body = json.dumps(row.payload, separators=(",", ":")).encode()
                messages.append(Message(row.id, row.webhook_id, url, body, row.num_tries))
        return messages

    def _deliver(self, message: Message) -> None:
        try:
            status = self._post(message)
            answer = f"status {status}"
        except (OSError, http.client.HTTPException, InvalidWebhookUrlError) as error:
            status, answer = None, f"{type(error).__name__}: {error}"[:200]
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
        """Send to the address that was checked; a redirect is an answer like any other."""
        target = parse_target(message.url, private_allowed=self._private_allowed)
        address = resolve(target, private_allowed=self._private_allowed)
        secret = secret_of(self._pepper, message.webhook_id)
        headers = signed_headers(secret, str(message.id), int(time.time()), message.body)
        connection = _PinnedConnection(target, address)
        try:
            headers |= {"Content-Type": "application/json", "User-Agent": "labelaudit-webhooks"}
            connection.request("POST", target.path, message.body, headers)
            reply = connection.getresponse()
            reply.read(_MAX_REPLY_BYTES)
            return reply.status
        finally:
            connection.close()


class _PinnedConnection(http.client.HTTPConnection):
    """Connects to one address, and to no other that the host's name may stand for by now."""

    def __init__(self, target: Target, address: str) -> None:
        super().__init__(target.host, target.port, timeout=_TIMEOUT_SECONDS)
        self._target, self._address = target, address

    @override
    def connect(self) -> None:
        plain = socket.create_connection((self._address, self._target.port), _TIMEOUT_SECONDS)
        self.sock = plain
        if self._target.is_tls:
            context = ssl.create_default_context()
            self.sock = context.wrap_socket(plain, server_hostname=self._target.host)


def retry_pause(num_tries: int) -> float | None:
    """Return the seconds until the next try, a little apart for each; None to give up."""
    if num_tries > len(RETRY_SECONDS):
        return None
    return RETRY_SECONDS[num_tries - 1] * random.uniform(1.0, 1.1)  # noqa: S311 - no secret
