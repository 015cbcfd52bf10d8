"""Prometheus gauges that are read from the database when somebody looks."""

from collections.abc import Iterator

import structlog
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from sqlalchemy.exc import SQLAlchemyError
from typing_extensions import override

from app.core.clock import utc_now
from app.core.db import Database
from app.jobs.gauge_repository import GaugeRepository
from app.models import JobState, Queue

_log = structlog.get_logger(__name__)


class JobGauges(Collector):
    """Jobs by state and queue, and how long the oldest has been waiting."""

    def __init__(self, database: Database) -> None:
        """Read from `database`."""
        self._database = database

    @override
    def collect(self) -> Iterator[Metric]:
        jobs = GaugeMetricFamily("labelaudit_jobs", "Jobs.", labels=("state", "queue"))
        waiting = GaugeMetricFamily(
            "labelaudit_oldest_queued_seconds",
            "Age of the job that has been waiting longest; 0 where none waits.",
            labels=("queue",),
        )
        try:
            counts, since = self._read()
        except SQLAlchemyError as error:
            # The other metrics matter most while the database is down.
            _log.warning("job_gauges_not_read", error=type(error).__name__)
            return
        for queue in Queue:
            for state in JobState:
                jobs.add_metric((state.value, queue.value), counts.get((state, queue), 0))
            waiting.add_metric((queue.value,), since.get(queue, 0.0))
        yield from (jobs, waiting)

    def _read(self) -> tuple[dict[tuple[JobState, Queue], int], dict[Queue, float]]:
        with self._database.read() as session:
            gauges = GaugeRepository(session)
            counts = {(state, queue): count for state, queue, count in gauges.count_jobs()}
            oldest = gauges.oldest_queued()
        now = utc_now()
        return counts, {queue: (now - since).total_seconds() for queue, since in oldest}
