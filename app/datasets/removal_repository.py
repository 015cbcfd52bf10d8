"""Rows of data sets that are being deleted; a large one's go in several units of work."""

from collections.abc import Sequence
from typing import Any, TypeAlias
from uuid import UUID

from sqlalchemy import delete, func, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from app.datasets.result_repository import remove_result_rows
from app.models import (
    MILLISECONDS,
    NO_STAGE,
    Dataset,
    DatasetState,
    DecisionStep,
    EndedAttempts,
    Job,
    JobAttempt,
    RejectedFile,
    ResultVersion,
    Sample,
)

_IN_BATCHES = (Sample, RejectedFile, DecisionStep)
"""Decisions and claims go with the samples."""
_Table: TypeAlias = type[Sample | RejectedFile | DecisionStep | Job]
_COUNTS = ("tenant_id", "outcome", "stage", "num_attempts", "milliseconds")
"""Of `EndedAttempts`, its key first."""
_JOBS_AT_ONCE = 20
"""Each takes its events with it, some thousands; its findings are gone by then."""


class RemovalRepository:
    """One data set of one tenant."""

    def __init__(self, session: Session, tenant_id: UUID, dataset_id: UUID) -> None:
        """Work inside the caller's unit of work."""
        self._session = session
        self._tenant_id = tenant_id
        self._dataset_id = dataset_id

    def hide(self) -> None:
        """Let nobody see the data set from now on; versions that go on from it stay."""
        self._session.execute(
            update(Dataset)
            .where(Dataset.parent_id == self._dataset_id, Dataset.tenant_id == self._tenant_id)
            .values(parent_id=None)
        )
        self._session.execute(
            update(Dataset)
            .where(Dataset.id == self._dataset_id, Dataset.tenant_id == self._tenant_id)
            .values(state=DatasetState.DELETING)
        )

    def job_ids(self) -> Sequence[UUID]:
        """Return the jobs that are left."""
        return self._session.scalars(
            select(Job.id).where(
                Job.dataset_id == self._dataset_id, Job.tenant_id == self._tenant_id
            )
        ).all()

    def remove_some(self, limit: int) -> bool:
        """Delete some of what hangs on it, but no jobs; tell whether there was anything."""
        return self._remove_some_findings(limit) or any(
            self._remove(table, self._some_of(table, limit)) for table in _IN_BATCHES
        )

    def remove_some_jobs(self) -> bool:
        """Delete some jobs with their results; tell whether there were any."""
        some = self._some_of(Job, _JOBS_AT_ONCE)
        self._count_attempts(some)
        return self._remove(Job, some)

    def remove(self) -> None:
        """Delete the data set itself."""
        self._session.execute(
            delete(Dataset).where(
                Dataset.id == self._dataset_id,
                Dataset.tenant_id == self._tenant_id,
                Dataset.state == DatasetState.DELETING,
            )
        )

    def _remove_some_findings(self, limit: int) -> bool:
        """Delete the next findings of one result that has any left."""
        versions = (
            select(ResultVersion.id)
            .join(Job)
            .where(Job.dataset_id == self._dataset_id, Job.tenant_id == self._tenant_id)
        )
        return any(
            remove_result_rows(self._session, version, limit)
            for version in self._session.scalars(versions).all()
        )

    def _count_attempts(self, job_ids: Sequence[Any]) -> None:
        """Keep in counts how the attempts of jobs ended that are deleted now."""
        ended = (
            select(
                JobAttempt.tenant_id,
                JobAttempt.outcome,
                func.coalesce(JobAttempt.stage, NO_STAGE),
                func.count(),
                func.coalesce(func.sum(MILLISECONDS), 0),
            )
            .where(
                JobAttempt.job_id.in_(job_ids),
                JobAttempt.tenant_id == self._tenant_id,
                JobAttempt.outcome.is_not(None),
            )
            .group_by(JobAttempt.tenant_id, JobAttempt.outcome, JobAttempt.stage)
        )
        is_postgresql = self._session.get_bind().dialect.name == "postgresql"
        insert = (postgresql if is_postgresql else sqlite).insert(EndedAttempts)
        added = insert.from_select(_COUNTS, ended, include_defaults=False)
        sums = {name: getattr(EndedAttempts, name) + added.excluded[name] for name in _COUNTS[-2:]}
        self._session.execute(added.on_conflict_do_update(index_elements=_COUNTS[:3], set_=sums))

    def _some_of(self, table: _Table, limit: int) -> Sequence[Any]:
        return self._session.scalars(
            select(table.id)
            .where(table.dataset_id == self._dataset_id, table.tenant_id == self._tenant_id)
            .limit(limit)
        ).all()

    def _remove(self, table: _Table, some: Sequence[Any]) -> bool:
        if some:
            self._session.execute(
                delete(table).where(table.id.in_(some)).execution_options(synchronize_session=False)
            )
        return bool(some)


def find_unfinished(session: Session) -> Sequence[tuple[UUID, UUID]]:
    """Return tenant and id of the data sets that are being deleted, of all tenants."""
    rows = session.execute(
        select(Dataset.tenant_id, Dataset.id).where(Dataset.state == DatasetState.DELETING)
    )
    return [(tenant_id, dataset_id) for tenant_id, dataset_id in rows]
