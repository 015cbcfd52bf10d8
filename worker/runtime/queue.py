"""The Celery worker of one queue.

Threads, not forks: a task only watches an exec'd process, so nothing heavy lives here, and
one event can tell every running task that the worker is shutting down.
"""

import threading
from typing import Any

from celery import Celery
from celery.signals import worker_shutting_down

from app.core.db import Database, make_engine
from app.core.queue import RUN_NEXT_TASK, WakeUps, make_celery
from app.core.settings import Settings
from app.models import Queue
from worker.runtime.runner import JobRunner
from worker.runtime.slots import Slots
from worker.runtime.stage import ChooseStage


def make_worker(settings: Settings, slots: Slots, choose_stage: ChooseStage) -> Celery:
    """Return a Celery application whose one task runs the next job of a queue."""
    celery = make_celery(settings)
    draining = threading.Event()
    wake_ups = WakeUps(celery)
    database = Database(make_engine(settings.resolved_database_url))
    runner = JobRunner(database, settings, wake_ups, draining, slots, choose_stage)

    @celery.task(name=RUN_NEXT_TASK)
    def run_next(queue: str) -> None:
        if runner.run_next(Queue(queue)):
            wake_ups.wake(queue)  # there may be more; an idle claim costs nothing

    @worker_shutting_down.connect(weak=False)
    def _drain(**_details: Any) -> None:
        draining.set()

    return celery
