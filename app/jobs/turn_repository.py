"""Who waits in which queue: the counts are system-wide on purpose, the jobs a tenant's own."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import case, func, select
from sqlalchemy.orm import Session

from app.core.db import all_tenants
from app.jobs.lease_repository import LONG_AGO
from app.jobs.turns import Turn
from app.models import Job, JobAttempt, JobState, Queue


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
