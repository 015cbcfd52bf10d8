"""The job protocol's writes: claim, lease, fence, sweep, and the attempts and events they leave.

System-wide on purpose: workers and the sweeper serve all tenants. A `Fence` is the proof of
ownership; every write of an owner carries it and must touch its row, else the owner has
lost the job (Kleppmann's fencing token; docs/decisions/0002).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, cast
from uuid import UUID

from sqlalchemy import (
    CursorResult,
    Select,
    Update,
    bindparam,
    case,
    func,
    select,
    union_all,
    update,
)
from sqlalchemy.orm import Session, aliased

from app.core.clock import database_seconds, utc_now
from app.models import (
    FINAL_STATES,
    MILLISECONDS,
    NO_STAGE,
    AttemptOutcome,
    Dataset,
    DatasetState,
    EndedAttempts,
    Job,
    JobAttempt,
    JobEvent,
    JobState,
    Queue,
    Tenant,
)
from app.models.visible import IS_OF_KEPT_DATASET
from app.webhooks.repository import OutboxRepository


class EventRepository:
    """What happened to jobs, written by the API and by the workers alike."""

    def __init__(self, session: Session) -> None:
        """Work inside the caller's unit of work."""
        self._session = session

    def append(self, job_id: UUID, event_type: str, data: dict[str, Any]) -> None:
        """Append to a job's history; the caller holds the job's row, so numbers never clash."""
        last = self._session.scalar(select(func.max(JobEvent.seq)).where(JobEvent.job_id == job_id))
        tenant_id = self._session.scalars(select(Job.tenant_id).where(Job.id == job_id)).one()
        self._session.add(
            JobEvent(
                job_id=job_id,
                seq=(last or 0) + 1,
                tenant_id=tenant_id,
                type=event_type,
                data=data,
                created_at=utc_now(),
            )
        )
        self._session.flush()

    def latest(self, job_ids: Sequence[UUID]) -> Mapping[UUID, tuple[JobState, int]]:
        """Return the state and the newest event of those jobs that are still there."""
        newest = select(func.max(JobEvent.seq)).where(JobEvent.job_id == Job.id).scalar_subquery()
        rows = self._session.execute(
            select(Job.id, Job.state, newest).where(Job.id.in_(job_ids), IS_OF_KEPT_DATASET)
        )
        return {row[0]: (row[1], row[2] or 0) for row in rows}

    def after(self, job_id: UUID, seq: int, *, limit: int) -> Sequence[JobEvent]:
        """Return a part of a job's history, whosever it is."""
        return self._session.scalars(
            select(JobEvent)
            .where(JobEvent.job_id == job_id, JobEvent.seq > seq)
            .order_by(JobEvent.seq)
            .limit(limit)
        ).all()


MAX_LOG_CHARACTERS = 16_000
# Made once: to put a statement together takes as long as to run it.
_OF_JOB = (
    select(JobAttempt)
    .where(JobAttempt.job_id == bindparam("job_id"), JobAttempt.tenant_id == bindparam("tenant_id"))
    .order_by(JobAttempt.id)
)


class AttemptRepository:
    """One row a claim, known by the owner that made it: no other owner can touch it."""

    def __init__(self, session: Session) -> None:
        """Work inside the caller's unit of work."""
        self._session = session

    def start(self, job: Job) -> None:
        """Note a claim that was just made."""
        self._session.add(
            JobAttempt(
                tenant_id=job.tenant_id,
                job_id=job.id,
                attempt=job.attempt,
                owner=job.owner,
                started_at=utc_now(),
            )
        )
        self._session.flush()

    def set_stage(self, job_id: UUID, owner: str, stage: str) -> None:
        """Note what the claim turned out to be for."""
        row = self._of_owner(job_id, owner)
        if row is not None:
            row.stage = stage
            self._session.flush()

    def keep_log(self, job_id: UUID, owner: str, log: str) -> None:
        """Keep the end of the process's log, also after the claim has ended."""
        row = self._of_owner(job_id, owner)
        if row is not None:
            # PostgreSQL takes any character but this one.
            row.log = log[-MAX_LOG_CHARACTERS:].replace("\0", "")
            self._session.flush()

    def end(self, job_id: UUID, owner: str, outcome: AttemptOutcome) -> None:
        """Note how the claim ended."""
        row = self._of_owner(job_id, owner)
        if row is not None:
            row.outcome, row.ended_at = outcome, utc_now()
            row.seconds = (row.ended_at - row.started_at).total_seconds()
            self._session.flush()

    def of_job(self, tenant_id: UUID, job_id: UUID) -> Sequence[JobAttempt]:
        """Return the claims of a tenant's job, oldest first."""
        wanted = {"job_id": job_id, "tenant_id": tenant_id}
        return self._session.scalars(_OF_JOB, wanted).all()

    def totals(self) -> Sequence[tuple[AttemptOutcome, str, int, float]]:
        """Return number and seconds of all ended claims by outcome and stage, of all tenants.

        Those of deleted jobs are among them, in one statement: while jobs are being deleted, too,
        each claim counts once.
        """
        rows = (
            select(
                JobAttempt.outcome.label("outcome"),
                func.coalesce(JobAttempt.stage, NO_STAGE).label("stage"),
                func.count().label("num"),
                func.coalesce(func.sum(MILLISECONDS), 0).label("milliseconds"),
            )
            .where(JobAttempt.outcome.is_not(None))
            .group_by(JobAttempt.outcome, JobAttempt.stage)
        )
        kept = select(
            EndedAttempts.outcome,
            EndedAttempts.stage,
            EndedAttempts.num_attempts,
            EndedAttempts.milliseconds,
        )
        each = union_all(rows, kept).subquery().c
        totals = self._session.execute(
            select(each.outcome, each.stage, func.sum(each.num), func.sum(each.milliseconds))
            .group_by(each.outcome, each.stage)
            .order_by(each.outcome, each.stage)
        )
        return [(row[0], row[1], int(row[2]), int(row[3]) / 1000) for row in totals]

    def _of_owner(self, job_id: UUID, owner: str) -> JobAttempt | None:
        return self._session.scalar(
            select(JobAttempt).where(JobAttempt.job_id == job_id, JobAttempt.owner == owner)
        )


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
