"""Prometheus metrics of jobs, read from the database when somebody looks.

Workers and sweeper serve no HTTP: what they did stands in the tables.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import structlog
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from sqlalchemy.exc import SQLAlchemyError
from typing_extensions import override

from app.core.clock import utc_now
from app.core.db import Database
from app.jobs.lease_repository import AttemptRepository
from app.jobs.repository import GaugeRepository
from app.models import AttemptOutcome, JobState, Queue
from app.webhooks.repository import OutboxRepository

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _Numbers:
    counts: dict[tuple[JobState, Queue], int]
    waiting_seconds: dict[Queue, float]
    lease_seconds: Sequence[tuple[Queue, float]]
    attempts: Sequence[tuple[AttemptOutcome, str, int, float]]
    webhook_seconds: float


class JobGauges(Collector):
    """Queue depth and age, leases, attempts by stage and by how they ended, late messages."""

    def __init__(self, database: Database) -> None:
        """Read from `database`."""
        self._database = database

    @override
    def collect(self) -> Iterator[Metric]:
        try:
            numbers = self._read()
        except SQLAlchemyError as error:
            # The other metrics matter most while the database is down.
            _log.warning("job_gauges_not_read", error=type(error).__name__)
            return
        yield from _queues(numbers)
        yield _leases(numbers)
        yield from _attempts(numbers)
        yield GaugeMetricFamily(
            "labelaudit_oldest_due_webhook_seconds",
            "For how long the webhook message that waits longest has been due; 0 where none is.",
            numbers.webhook_seconds,
        )

    def _read(self) -> _Numbers:
        with self._database.read() as session:
            gauges = GaugeRepository(session)
            counts = {(state, queue): count for state, queue, count in gauges.count_jobs()}
            oldest = gauges.oldest_queued()
            leases = gauges.shortest_leases()
            attempts = AttemptRepository(session).totals()
            webhook_seconds = OutboxRepository(session).seconds_late()
        now = utc_now()
        waiting = {queue: (now - since).total_seconds() for queue, since in oldest}
        return _Numbers(counts, waiting, leases, attempts, webhook_seconds)


def _queues(numbers: _Numbers) -> Iterator[Metric]:
    jobs = GaugeMetricFamily("labelaudit_jobs", "Jobs.", labels=("state", "queue"))
    waiting = GaugeMetricFamily(
        "labelaudit_oldest_queued_seconds",
        "Age of the job that has been waiting longest; 0 where none waits.",
        labels=("queue",),
    )
    for queue in Queue:
        for state in JobState:
            jobs.add_metric((state.value, queue.value), numbers.counts.get((state, queue), 0))
        waiting.add_metric((queue.value,), numbers.waiting_seconds.get(queue, 0.0))
    yield from (jobs, waiting)


def _leases(numbers: _Numbers) -> Metric:
    leases = GaugeMetricFamily(
        "labelaudit_shortest_lease_seconds",
        "Seconds until the first lease of a running job ends; below 0 the sweeper is late.",
        labels=("queue",),
    )
    for queue, seconds in numbers.lease_seconds:
        leases.add_metric((queue.value,), seconds)
    return leases


def _attempts(numbers: _Numbers) -> Iterator[Metric]:
    labels = ("stage", "outcome")
    ended = CounterMetricFamily(
        "labelaudit_attempts",
        "Attempts that ended; the outcome `expired` is what the sweeper took from dead workers.",
        labels=labels,
    )
    seconds = CounterMetricFamily(
        "labelaudit_attempt_seconds", "Seconds that these attempts took.", labels=labels
    )
    for outcome, stage, count, total in numbers.attempts:
        ended.add_metric((stage, outcome.value), count)
        seconds.add_metric((stage, outcome.value), total)
    yield from (ended, seconds)
