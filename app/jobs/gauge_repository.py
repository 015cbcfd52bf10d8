"""Counts of jobs for the operators: system-wide on purpose."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.core.clock import database_seconds
from app.models import Job, JobState, Queue


class GaugeRepository:
    """Whatever the tenant."""

    def __init__(self, session: Session) -> None:
        """Work inside the caller's unit of work."""
        self._session = session

    def count_jobs(self) -> Sequence[tuple[JobState, Queue, int]]:
        """Return the number of jobs by state and queue."""
        rows = self._session.execute(
            select(Job.state, Job.queue, func.count()).group_by(Job.state, Job.queue)
        )
        return [(row[0], row[1], row[2]) for row in rows]

    def oldest_queued(self) -> Sequence[tuple[Queue, datetime]]:
        """Return since when the longest waiting job of each queue waits."""
        rows = self._session.execute(
            select(Job.queue, func.min(Job.queued_at))
            .where(Job.state == JobState.QUEUED)
            .group_by(Job.queue)
        )
        return [(row[0], row[1]) for row in rows]

    def shortest_leases(self) -> Sequence[tuple[Queue, float]]:
        """Return the seconds until the first lease of each queue runs out, below 0 if it has."""
        rows = self._session.execute(
            select(Job.queue, func.min(Job.lease_until - database_seconds()))
            .where(Job.state == JobState.RUNNING, Job.lease_until.is_not(None))
            .group_by(Job.queue)
        )
        return [(row[0], row[1] or 0.0) for row in rows]
