"""Entry of `labelaudit worker`."""

import warnings

from celery.exceptions import SecurityWarning

from app.core.logging import configure_logging
from app.core.settings import Settings
from app.models import Queue
from worker.celery_app import make_worker
from worker.slots import Slots


def run(queue: str) -> None:
    """Work on one queue until SIGTERM; then give the running job back and return."""
    name = Queue(queue).value
    settings = Settings()
    configure_logging(settings)
    # Celery warns of running as root because of pickled messages; ours are JSON and say nothing.
    warnings.simplefilter("ignore", SecurityWarning)
    slots = Slots.of(Queue(queue), settings)
    make_worker(settings, slots).worker_main(
        [
            "--quiet",  # no banner
            "worker",
            f"--queues={name}",
            f"--hostname=labelaudit-{name}@%h",
            "--pool=threads",
            f"--concurrency={len(slots)}",
            "--loglevel=WARNING",
            "--without-gossip",
            "--without-mingle",
            "--without-heartbeat",
        ]
    )
