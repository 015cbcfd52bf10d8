"""Jobs and their history, of one tenant, as the API needs them; and counts that are system-wide.

The workers' writes are in `lease_repository`. Counts of turns and of jobs are system-wide on
purpose, and so is the mark of the service's folders: all tenants' files lie in them.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast
from uuid import UUID, uuid4

from sqlalchemy import (
    CursorResult,
    Table,
    Update,
    bindparam,
    case,
    func,
    null,
    select,
    tuple_,
    update,
)
from sqlalchemy.orm import Session

from app.core.bulk import as_columns, insert_missing
from app.core.clock import database_seconds, utc_now
from app.core.db import all_tenants
from app.jobs.lease_repository import LONG_AGO, EventRepository
from app.models import FINAL_STATES, FolderMark, Job, JobAttempt, JobEvent, JobKind, JobState, Queue
from app.models.visible import IS_OF_KEPT_DATASET
from app.webhooks.repository import OutboxRepository


@dataclass(frozen=True, slots=True)
class Turn:
    """One tenant's place in one queue."""

    tenant_id: UUID
    num_waiting: int
    num_running: int
    last_served: datetime
    oldest_queued: datetime

    @property
    def key(self) -> tuple[int, datetime, datetime]:
        """Tenants with the fewest running jobs first, then those served longest ago."""
        return self.num_running, self.last_served, self.oldest_queued

    def comes_before(self, other: "Turn") -> bool:
        """Tell whether this tenant is served before the other one."""
        return self.key < other.key


def position(turns: Sequence[Turn], tenant_id: UUID, num_own_before: int) -> int:
    """Return the place in the queue, from 1, of a job with so many older ones of its own tenant.

    Each job served sends its tenant to the end of the row, so before it come as many rounds
    of the others as there are older jobs of its own, and once more those whose turn is sooner.
    """
    [own] = [turn for turn in turns if turn.tenant_id == tenant_id]
    others = (turn for turn in turns if turn is not own)
    num_before = sum(
        min(turn.num_waiting, num_own_before + turn.comes_before(own)) for turn in others
    )
    return num_own_before + num_before + 1


class TurnRepository:
    """The order in which `LeaseRepository.claim_next` will serve."""

    def __init__(self, session: Session) -> None:
        """Work inside the caller's unit of work."""
        self._session = session

    def turns(self, queue: Queue) -> Sequence[Turn]:
        """Return the place of each tenant that has jobs waiting in this queue."""
        with all_tenants(self._session):
            return self._turns(queue)

    def _turns(self, queue: Queue) -> Sequence[Turn]:
        waits = (Job.state == JobState.QUEUED) & (Job.queue == queue)
        last_served = (
            select(func.max(JobAttempt.started_at))
            .where(JobAttempt.tenant_id == Job.tenant_id)
            .correlate(Job)
            .scalar_subquery()
        )
        rows = self._session.execute(
            select(
                Job.tenant_id,
                func.sum(case((waits, 1), else_=0)).label("num_waiting"),
                func.sum(case((Job.state == JobState.RUNNING, 1), else_=0)),
                last_served,
                func.min(case((waits, Job.queued_at))),
            )
            .where(Job.state.in_((JobState.QUEUED, JobState.RUNNING)))
            .group_by(Job.tenant_id)
        )
        return [
            Turn(tenant_id, num_waiting, num_running, served or LONG_AGO, oldest)
            for tenant_id, num_waiting, num_running, served, oldest in rows
            if num_waiting
        ]

    def waiting(self, tenant_id: UUID, queue: Queue) -> Sequence[UUID]:
        """Return the tenant's waiting jobs in the order in which they will be served."""
        return self._session.scalars(
            select(Job.id)
            .where(Job.tenant_id == tenant_id, Job.state == JobState.QUEUED, Job.queue == queue)
            .order_by(Job.queued_at, Job.id)
        ).all()


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


_SERVICE = "labelaudit"


class FolderRepository:
    """The one mark."""

    def __init__(self, session: Session) -> None:
        """Work inside the caller's unit of work."""
        self._session = session

    def mark(self) -> str | None:
        """Return the mark; None until an API process has made one."""
        row = self._session.get(FolderMark, _SERVICE)
        return None if row is None else row.mark

    def make_mark(self) -> str:
        """Return the mark that all API processes agree on."""
        row = {"service": _SERVICE, "mark": uuid4().hex}
        insert_missing(self._session, cast("Table", FolderMark.__table__), as_columns([row]))
        return self._session.get_one(FolderMark, _SERVICE).mark


# Made once: to put a statement together takes as long as to run it.
_JOB = select(Job).where(
    Job.id == bindparam("job_id"), Job.tenant_id == bindparam("tenant_id"), IS_OF_KEPT_DATASET
)
_NEWEST = (
    select(Job)
    .where(Job.tenant_id == bindparam("tenant_id"), IS_OF_KEPT_DATASET)
    .order_by(Job.created_at.desc(), Job.id.desc())
)


@dataclass(frozen=True, slots=True)
class JobFilter:
    """Which jobs a list shows."""

    state: JobState | None = None
    dataset_id: UUID | None = None


class JobRepository:
    """Each transition names the states it may start from in its WHERE."""

    def __init__(self, session: Session, tenant_id: UUID) -> None:
        """Work inside the caller's unit of work, for one tenant."""
        self._session = session
        self._tenant_id = tenant_id
        self._events = EventRepository(session)

    def add(self, job: Job) -> None:
        """Store a new job."""
        self._session.add(job)
        self._session.flush()
        self._events.append(job.id, "state", {"state": job.state.value})

    def get(self, job_id: UUID) -> Job | None:
        """Find a job."""
        wanted = {"job_id": job_id, "tenant_id": self._tenant_id}
        return self._session.scalar(_JOB, wanted)

    def unfinished(self, dataset_id: UUID, kind: JobKind) -> Sequence[Job]:
        """Return the jobs of a kind that a data set waits for."""
        return self._session.scalars(
            select(Job).where(
                Job.dataset_id == dataset_id,
                Job.tenant_id == self._tenant_id,
                Job.kind == kind,
                Job.state.not_in(FINAL_STATES),
            )
        ).all()

    def lock(self, job_id: UUID) -> Job | None:
        """Find a job, and let nobody move it until this unit of work ends."""
        return self._session.scalar(
            select(Job)
            .where(Job.id == job_id, Job.tenant_id == self._tenant_id, IS_OF_KEPT_DATASET)
            .with_for_update()
        )

    def newest(
        self, wanted: JobFilter, *, after: tuple[datetime, UUID] | None, limit: int
    ) -> Sequence[Job]:
        """Return jobs, newest first."""
        statement = _NEWEST.limit(limit)
        if wanted.state is not None:
            statement = statement.where(Job.state == wanted.state)
        if wanted.dataset_id is not None:
            statement = statement.where(Job.dataset_id == wanted.dataset_id)
        if after is not None:
            statement = statement.where(tuple_(Job.created_at, Job.id) < after)
        return self._session.scalars(statement, {"tenant_id": self._tenant_id}).all()

    def latest(
        self, dataset_ids: Sequence[UUID], kinds: Collection[JobKind], *, with_results: bool
    ) -> Sequence[Job]:
        """Return each data set's newest job of these kinds, or the newest that has results."""
        place = func.row_number().over(
            partition_by=Job.dataset_id, order_by=(Job.created_at.desc(), Job.id.desc())
        )
        ranked = select(Job.id, place.label("place")).where(
            Job.tenant_id == self._tenant_id,
            Job.dataset_id.in_(dataset_ids),
            Job.kind.in_(kinds),
        )
        if with_results:
            ranked = ranked.where(Job.state == JobState.SUCCEEDED, Job.result_version.is_not(None))
        newest = ranked.subquery()
        return self._session.scalars(
            select(Job).join(newest, newest.c.id == Job.id).where(newest.c.place == 1)
        ).all()

    def mark_cancelled(self, job: Job) -> bool:
        """Move queued → cancelled."""
        return self._transition(
            job,
            (JobState.QUEUED,),
            state=JobState.CANCELLED,
            cancel_requested=True,
            handed_over=False,
            finished_at=utc_now(),
        )

    def request_cancel(self, job: Job) -> bool:
        """Ask the owner of a running job to stop; it reads this at each heartbeat."""
        return self._transition(job, (JobState.RUNNING,), cancel_requested=True)

    def mark_requeued(self, job: Job, queue: Queue) -> bool:
        """Move failed or cancelled → queued, with a fresh budget of attempts.

        The attempt's number goes on counting: it fences off what an old owner may still write.
        """
        return self._transition(
            job,
            (JobState.FAILED, JobState.CANCELLED),
            state=JobState.QUEUED,
            stage="queued",
            queue=queue,
            queued_at=utc_now(),
            started_at=None,
            finished_at=None,
            lost_attempts=0,
            handed_over=False,
            cancel_requested=False,
            error_code=None,
            error_detail=None,
            fraction=0.0,
            epoch=None,
            eta_seconds=None,
            images_per_second=None,
            metrics=null(),
        )

    def events_after(self, job_id: UUID, seq: int, *, limit: int) -> Sequence[JobEvent]:
        """Return a part of a job's history."""
        return self._session.scalars(
            select(JobEvent)
            .where(
                JobEvent.job_id == job_id,
                JobEvent.tenant_id == self._tenant_id,
                JobEvent.seq > seq,
            )
            .order_by(JobEvent.seq)
            .limit(limit)
        ).all()

    def _transition(self, job: Job, sources: tuple[JobState, ...], **values: Any) -> bool:
        statement = (
            update(Job)
            .where(Job.id == job.id, Job.tenant_id == self._tenant_id, Job.state.in_(sources))
            .values(**values)
        )
        if not self._execute(statement):
            return False
        self._session.refresh(job)
        if "state" in values:
            self._events.append(job.id, "state", {"state": job.state.value})
            if job.state in FINAL_STATES:
                OutboxRepository(self._session).announce(job.id)
        return True

    def _execute(self, statement: Update) -> bool:
        result = self._session.execute(statement.execution_options(synchronize_session=False))
        return cast("CursorResult[Any]", result).rowcount == 1
