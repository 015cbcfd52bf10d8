"""Jobs and their history, of one tenant, as the API needs them.

The workers' writes are in `lease_repository`.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast
from uuid import UUID

from sqlalchemy import CursorResult, Update, bindparam, func, null, select, tuple_, update
from sqlalchemy.orm import Session

from app.core.clock import utc_now
from app.jobs.event_repository import EventRepository
from app.models import FINAL_STATES, Job, JobEvent, JobKind, JobState, Queue
from app.models.visible import IS_OF_KEPT_DATASET
from app.webhooks.repository import OutboxRepository

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
