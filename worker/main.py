"""Entry of `labelaudit worker`."""

import socket
import warnings

from celery.exceptions import SecurityWarning
from kombu.exceptions import OperationalError

from app.core.db import Database, make_engine
from app.core.logging import configure_logging
from app.core.queue import make_celery
from app.core.settings import Settings
from app.core.storage import DataFolder
from app.models import Queue
from worker.runtime.queue import make_worker
from worker.runtime.sharing import require_shared_folders
from worker.runtime.slots import Slots
from worker.stages.choose import choose_stage

_ANSWER_SECONDS = 8.0


def is_well(queue: str) -> bool:
    """Tell whether this machine's worker of a queue answers through the broker.

    That it is there and connected is not enough: a worker can be both and take no message.
    """
    name = _node_name(queue)
    control = make_celery(Settings()).control
    try:
        answers = control.inspect(destination=[name], timeout=_ANSWER_SECONDS, limit=1).ping()
    except (OSError, OperationalError):
        return False
    return name in (answers or {})


def _node_name(queue: str) -> str:
    return f"labelaudit-{Queue(queue).value}@{socket.gethostname()}"


def run(queue: str) -> None:
    """Work on one queue until SIGTERM; then give the running job back and return."""
    name = Queue(queue).value
    settings = Settings()
    configure_logging(settings)
    # Celery warns of running as root because of pickled messages; ours are JSON and say nothing.
    warnings.simplefilter("ignore", SecurityWarning)
    database = Database(make_engine(settings.resolved_database_url))
    require_shared_folders(database, DataFolder(settings))
    database.dispose()
    slots = Slots.of(Queue(queue), settings)
    make_worker(settings, slots, choose_stage).worker_main(
        [
            "--quiet",  # no banner
            "worker",
            f"--queues={name}",
            f"--hostname={_node_name(queue)}",
            "--pool=threads",
            f"--concurrency={len(slots)}",
            "--loglevel=WARNING",
            "--without-gossip",
            "--without-mingle",
            "--without-heartbeat",
        ]
    )
