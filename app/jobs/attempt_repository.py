"""What each claim of a job came to: written by the protocol, read by the owner and operators."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import bindparam, func, select, union_all
from sqlalchemy.orm import Session

from app.core.clock import utc_now
from app.models import (
    MILLISECONDS,
    NO_STAGE,
    AttemptOutcome,
    EndedAttempts,
    Job,
    JobAttempt,
)

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
