"""Rows of data sets that are being deleted, and of their results, which no foreign key removes.

A large data set's rows go in several units of work.
"""

from collections.abc import Sequence
from typing import Any, TypeAlias, cast
from uuid import UUID

from sqlalchemy import CursorResult, Table, delete, func, select, tuple_, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from app.models import (
    MILLISECONDS,
    NO_STAGE,
    Dataset,
    DatasetState,
    DecisionStep,
    EndedAttempts,
    Finding,
    Job,
    JobAttempt,
    LossRank,
    PosteriorRank,
    RejectedFile,
    ResultVersion,
    Sample,
    SampleRank,
)

ResultTable: TypeAlias = type[Finding | SampleRank | LossRank | PosteriorRank]
RESULT_TABLES: tuple[ResultTable, ...] = (SampleRank, LossRank, PosteriorRank, Finding)


def remove_result_rows(session: Session, version_id: int, limit: int) -> int:
    """Remove the next `limit` rows of a version from each table; return how many went at most."""
    return max(_remove_some(session, table, version_id, limit) for table in RESULT_TABLES)


def _remove_some(session: Session, table: ResultTable, version_id: int, limit: int) -> int:
    version, *others = cast("Table", table.__table__).primary_key.columns
    last = session.execute(
        select(*others).where(version == version_id).order_by(*others).offset(limit - 1).limit(1)
    ).one_or_none()
    # By a range of keys: a DELETE with LIMIT is not in every SQLite.
    until = () if last is None else (tuple_(*others) <= tuple_(*last),)
    gone = session.execute(
        delete(table).where(version == version_id, *until),
        execution_options={"synchronize_session": False},
    )
    return cast("CursorResult[Any]", gone).rowcount


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
