"""Wake-ups for the workers.

A message carries nothing and may be lost, doubled or late: the job row is the truth, and
whoever receives the message claims the next queued job of its queue.
"""

import time
from pathlib import Path

import structlog
from celery import Celery

from app.core.settings import Settings

RUN_NEXT_TASK = "labelaudit.run_next"
_SILENT_SECONDS = 5.0
_REDIS_OPTIONS = {
    "visibility_timeout": 86_400,  # messages are acknowledged at once: nothing is ever redelivered
    # A request must not hang because Redis does: its job is in the database already.
    "socket_connect_timeout": 2,
    "socket_timeout": 5,
}
_log = structlog.get_logger(__name__)


def make_celery(settings: Settings) -> Celery:
    """Return a Celery application on Redis, or on private files where no Redis is set."""
    celery = Celery("labelaudit", set_as_current=False)
    celery.conf.update(
        task_serializer="json",
        accept_content=["json"],
        task_ignore_result=True,
        task_store_errors_even_if_ignored=False,
        task_acks_late=False,  # the lease redelivers, not the broker
        worker_prefetch_multiplier=1,
        broker_connection_retry_on_startup=True,
        broker_connection_timeout=2,
        worker_hijack_root_logger=False,
        worker_send_task_events=False,
    )
    if settings.redis_url is not None:
        celery.conf.update(
            broker_url=settings.redis_url.get_secret_value(),
            broker_transport_options=_REDIS_OPTIONS,
        )
    else:
        celery.conf.update(
            broker_url="filesystem://localhost",  # kombu warns where a host is missing
            broker_transport_options=_folder_options(settings.data_dir.resolve()),
        )
    return celery


def _folder_options(data_dir: Path) -> dict[str, object]:
    broker = data_dir / "broker"
    for name in ("messages", "processed", "control"):
        (broker / name).mkdir(parents=True, exist_ok=True, mode=0o700)
    return {
        "data_folder_in": str(broker / "messages"),
        "data_folder_out": str(broker / "messages"),
        "processed_folder": str(broker / "processed"),
        "control_folder": str(broker / "control"),
        "store_processed": False,
        "polling_interval": 0.2,
    }


class WakeUps:
    """Sends wake-ups; never fails, since the sweeper sends again."""

    def __init__(self, celery: Celery) -> None:
        """Send through this application's broker."""
        self._celery = celery
        self._silent_until = 0.0

    def wake(self, queue: str) -> None:
        """Ask one idle slot of `queue` to claim the next job.

        A broker that did not answer is left alone for a while: finding that out takes two seconds,
        and requests wait for it.
        """
        if time.monotonic() < self._silent_until:
            return
        try:
            self._celery.send_task(RUN_NEXT_TASK, args=[queue], queue=queue, retry=False)
        except Exception as error:  # noqa: BLE001 - a broker may fail in any way; the row is safe
            self._silent_until = time.monotonic() + _SILENT_SECONDS
            _log.warning("wake_up_not_sent", queue=queue, error=type(error).__name__)


def broker_answers(celery: Celery) -> bool:
    """Tell whether the broker of this application takes connections.

    A connection each time leaves a heap of classes and cycles to the garbage collector: ask
    through a `Probe`.
    """
    try:
        with celery.connection_for_write() as connection:
            connection.ensure_connection(max_retries=1, timeout=2)
    except Exception as error:  # noqa: BLE001 - a broker may fail in any way
        _log.warning("broker_does_not_answer", error=type(error).__name__)
        return False
    return True
