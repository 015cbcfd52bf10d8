"""The job protocol's writes: claim, lease, fence, sweep.

System-wide on purpose: workers and the sweeper serve all tenants. A `Fence` is the proof of
ownership; every write of an owner carries it and must touch its row, else the owner has
lost the job (Kleppmann's fencing token; docs/decisions/0002).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, cast
from uuid import UUID

from sqlalchemy import CursorResult, Select, Update, case, func, select, update
from sqlalchemy.orm import Session, aliased

from app.core.clock import database_seconds, utc_now
from app.jobs.attempt_repository import AttemptRepository
from app.jobs.event_repository import EventRepository
from app.models import (
    FINAL_STATES,
    AttemptOutcome,
    Dataset,
    DatasetState,
    Job,
    JobAttempt,
    JobState,
    Queue,
    Tenant,
)
from app.webhooks.repository import OutboxRepository

LOST_OUTCOMES = frozenset({AttemptOutcome.LOST, AttemptOutcome.EXPIRED})
"""What an attempt of the budget is used up by."""
PACE_UNKNOWN: dict[str, None] = {"eta_seconds": None, "images_per_second": None}
"""Of a stage that begins: the pace of the one before says nothing of it."""
UNLIMITED = 2**31
LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)


class FencedError(Exception):
    """The job is somebody else's now: whatever this owner still does must not count."""


@dataclass(frozen=True, slots=True)
class Fence:
    """One claim of one job: whoever holds it may write, until somebody else claims."""

    job_id: UUID
    attempt: int
    owner: str


class LeaseRepository:
    """Conditional updates on job rows, whatever the tenant."""

    def __init__(self, session: Session) -> None:
        """Work inside the caller's unit of work."""
        self._session = session
        self._events = EventRepository(session)
        self._attempts = AttemptRepository(session)

    def claim_next(
        self, queue: Queue, *, owner: str, lease_seconds: float, max_running: int | None = None
    ) -> Job | None:
        """Take the next queued job: tenants take turns (see `turns`), each with its oldest.

        `max_running` is the quota of running jobs of tenants that have none of their own.
        """
        job_id = self._session.scalar(self._next_queued(queue, max_running))
        if job_id is None:
            return None
        claimed = self._execute(
            update(Job)
            .where(Job.id == job_id, Job.state == JobState.QUEUED)
            .values(
                state=JobState.RUNNING,
                # A hand-over goes on with its attempt: nothing was lost in between.
                attempt=Job.attempt + case((Job.handed_over, 0), else_=1),
                handed_over=False,
                owner=owner,
                lease_until=database_seconds() + lease_seconds,
                started_at=func.coalesce(Job.started_at, utc_now()),
            )
        )
        if not claimed:
            return None
        job = self._session.get_one(Job, job_id, populate_existing=True)
        self._attempts.start(job)
        return job

    def renew(self, fence: Fence, *, lease_seconds: float) -> bool:
        """Prolong the lease.

        Returns:
            Whether the owner is asked to cancel.

        Raises:
            FencedError: The job is somebody else's now.
        """
        self.write(fence, lease_until=database_seconds() + lease_seconds)
        return bool(
            self._session.scalar(select(Job.cancel_requested).where(Job.id == fence.job_id))
        )

    def write(self, fence: Fence, **values: Any) -> None:
        """Change the owner's row, or raise `FencedError` and change nothing."""
        if not self._execute(_owned(fence).values(**values)):
            raise FencedError(f"job {fence.job_id}: attempt {fence.attempt} no longer owns it")

    def enter(self, fence: Fence, stage: str) -> None:
        """Say what the owner is about to do."""
        self.write(fence, stage=stage, **PACE_UNKNOWN)

    def start_stage(self, fence: Fence, stage: str) -> None:
        """Say what the owner is about to do, and this attempt is for."""
        self.enter(fence, stage)
        self._attempts.set_stage(fence.job_id, fence.owner, stage)

    def finish(
        self,
        fence: Fence,
        state: JobState,
        outcome: AttemptOutcome | None = None,
        **values: Any,
    ) -> None:
        """Move the owner's job to a final state, or back to `queued`, and end the lease.

        `outcome` is that of the attempt, where it is not that of the job.
        """
        if state in FINAL_STATES:
            values["finished_at"] = utc_now()
        self.write(fence, state=state, owner=None, lease_until=None, **values)
        if state in {JobState.FAILED, JobState.CANCELLED}:
            self.give_up_ingest(fence.job_id)
        if state in FINAL_STATES:
            OutboxRepository(self._session).announce(fence.job_id)
        self._attempts.end(fence.job_id, fence.owner, outcome or AttemptOutcome(state.value))
        self.add_event(fence.job_id, "state", {"state": state.value} | _shown(values))

    def add_event(self, job_id: UUID, event_type: str, data: dict[str, Any]) -> None:
        """Append to the job's history."""
        self._events.append(job_id, event_type, data)

    def give_up_ingest(self, job_id: UUID) -> None:
        """A data set whose ingest will not be finished is no longer pending."""
        dataset_id = select(Job.dataset_id).where(Job.id == job_id).scalar_subquery()
        self._execute(
            update(Dataset)
            .where(Dataset.id == dataset_id, Dataset.state == DatasetState.PENDING)
            .values(state=DatasetState.FAILED)
        )

    def requeue(self, fence: Fence, *, queue: Queue, outcome: AttemptOutcome) -> None:
        """Give the job back: to go on elsewhere, or to be tried again."""
        self.finish(
            fence,
            JobState.QUEUED,
            outcome,
            stage="queued",
            queue=queue,
            handed_over=outcome is AttemptOutcome.HANDED_OVER,
            lost_attempts=Job.lost_attempts + int(outcome in LOST_OUTCOMES),
            queued_at=utc_now(),
            **PACE_UNKNOWN,
        )

    def expired(self) -> list[Job]:
        """Return the running jobs whose lease has run out, locked against a late renewal."""
        return list(
            self._session.scalars(
                select(Job)
                .where(Job.state == JobState.RUNNING, Job.lease_until < database_seconds())
                .order_by(Job.queued_at)
                .with_for_update(skip_locked=True)
            )
        )

    def count_queued(self) -> dict[Queue, int]:
        """Return the number of waiting jobs by queue."""
        rows = self._session.execute(
            select(Job.queue, func.count()).where(Job.state == JobState.QUEUED).group_by(Job.queue)
        )
        return {queue: count for queue, count in rows}  # noqa: C416 - a Row is no pair for mypy

    def keep_files_of(self, job_ids: Sequence[UUID]) -> set[UUID]:
        """Return those of the jobs that may still need their files: a retry goes on from them."""
        return set(
            self._session.scalars(
                select(Job.id).where(Job.id.in_(job_ids), Job.state != JobState.SUCCEEDED)
            )
        )

    def _next_queued(self, queue: Queue, max_running: int | None) -> Select[UUID]:
        other = aliased(Job)
        num_running = (
            select(func.count())
            .where(other.tenant_id == Job.tenant_id, other.state == JobState.RUNNING)
            .correlate(Job)
            .scalar_subquery()
        )
        # Without this a tenant with a hundred jobs would keep a single slot until all are done.
        last_served = (
            select(func.coalesce(func.max(JobAttempt.started_at), LONG_AGO))
            .where(JobAttempt.tenant_id == Job.tenant_id)
            .correlate(Job)
            .scalar_subquery()
        )
        own_limit = select(Tenant.max_running_jobs).where(Tenant.id == Job.tenant_id)
        limit = func.coalesce(
            own_limit.correlate(Job).scalar_subquery(),
            UNLIMITED if max_running is None else max_running,
        )
        return (
            select(Job.id)
            .where(Job.state == JobState.QUEUED, Job.queue == queue, num_running < limit)
            .order_by(num_running, last_served, Job.queued_at, Job.id)
            .limit(1)
            .with_for_update(skip_locked=True, of=Job)
        )

    def _execute(self, statement: Update) -> bool:
        result = self._session.execute(statement.execution_options(synchronize_session=False))
        return cast("CursorResult[Any]", result).rowcount == 1


def _owned(fence: Fence) -> Update:
    return update(Job).where(
        Job.id == fence.job_id,
        Job.state == JobState.RUNNING,
        Job.attempt == fence.attempt,
        Job.owner == fence.owner,
    )


def _shown(values: dict[str, Any]) -> dict[str, Any]:
    """Keep of a row's values what an event tells people."""
    return {key: values[key] for key in ("error_code", "error_detail", "stage") if key in values}
