"""Results on their way in: staged under a version that nobody sees until it is published."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, cast
from uuid import UUID

from sqlalchemy import CursorResult, Table, delete, select, text, update
from sqlalchemy.orm import Session

from app.core.bulk import Columns, insert_rows
from app.core.clock import utc_now
from app.datasets.removal_repository import RESULT_TABLES, ResultTable, remove_result_rows
from app.models import Artifact, FirstLook, Job, JobState, ResultVersion, Sample


class PublishRepository:
    """Writes the results of one job of one tenant."""

    def __init__(self, session: Session, tenant_id: UUID, job_id: UUID) -> None:
        """Work inside the caller's unit of work."""
        self._session = session
        self._tenant_id = tenant_id
        self._job_id = job_id

    def stage(self, *, attempt: int) -> int:
        """Open a version for this attempt's results; return its id."""
        version = ResultVersion(tenant_id=self._tenant_id, job_id=self._job_id, attempt=attempt)
        self._session.add(version)
        self._session.flush()
        return version.id

    def add_rows(self, table: ResultTable, rows: Columns) -> None:
        """Add findings or ranks, each with its `version_id`; cheap where their keys rise."""
        insert_rows(self._session, cast("Table", table.__table__), rows)

    def refresh_statistics(self) -> None:
        """Let PostgreSQL know what has been added, before anybody reads it.

        By itself it looks a minute later; till then it takes a version for few rows and sorts all
        of them for each page. SQLite plans these queries without statistics.
        """
        if self._session.get_bind().dialect.name == "postgresql":
            names = ", ".join(table.__tablename__ for table in (Sample, *RESULT_TABLES))
            self._session.execute(text(f"ANALYZE {names}"))

    def add_artifact(self, artifact: Artifact) -> None:
        """Add one file of the results."""
        self._session.add(artifact)

    def set_first_look(self, samples: Sequence[tuple[int, bool]]) -> None:
        """Note which samples to look at first, in order, and whether chance alone chose each."""
        self._session.execute(delete(FirstLook).where(FirstLook.job_id == self._job_id))
        self._session.add_all(
            FirstLook(
                tenant_id=self._tenant_id,
                job_id=self._job_id,
                position=position,
                sample_id=sample_id,
                by_chance=by_chance,
                created_at=utc_now(),
            )
            for position, (sample_id, by_chance) in enumerate(samples)
        )

    def swap(self, old_version: int, new_version: int) -> bool:
        """Show a version in place of the one that is shown, if that is still the old one."""
        result = self._session.execute(
            update(Job)
            .where(
                Job.id == self._job_id,
                Job.tenant_id == self._tenant_id,
                Job.state == JobState.SUCCEEDED,
                Job.result_version == old_version,
            )
            .values(result_version=new_version)
            .execution_options(synchronize_session=False)
        )
        return cast("CursorResult[Any]", result).rowcount == 1

    def learn(self, old_version: int, new_version: int, calibration: dict[str, Any]) -> None:
        """Note what a version has learned, and that its order is that of the old one."""
        old = self._session.get_one(ResultVersion, old_version)
        new = self._session.get_one(ResultVersion, new_version)
        new.base_id, new.calibration = old.order_id, calibration
        old.superseded_at = utc_now()
        self._session.flush()

    def move_artifacts(self, old_version: int, new_version: int, *, but: str) -> None:
        """Give the files of a version, but for one kind, to another version."""
        self._session.execute(
            update(Artifact)
            .where(
                Artifact.version_id == old_version,
                Artifact.tenant_id == self._tenant_id,
                Artifact.kind != but,
            )
            .values(version_id=new_version)
            .execution_options(synchronize_session=False)
        )

    def supersede(self) -> None:
        """Mark what the job row points to, before it points to something newer."""
        published = select(Job.result_version).where(
            Job.id == self._job_id, Job.tenant_id == self._tenant_id
        )
        self._session.execute(
            update(ResultVersion)
            .where(ResultVersion.id == published.scalar_subquery())
            .values(superseded_at=utc_now())
        )

    def drop_unpublished(self) -> None:
        """Remove every version that nobody has ever seen."""
        published = select(Job.result_version).where(
            Job.id == self._job_id, Job.result_version.is_not(None)
        )
        unseen = self._session.scalars(
            select(ResultVersion.id).where(
                ResultVersion.job_id == self._job_id,
                ResultVersion.tenant_id == self._tenant_id,
                ResultVersion.id.not_in(published),
                ResultVersion.superseded_at.is_(None),
            )
        ).all()
        for table in RESULT_TABLES:
            self._session.execute(
                delete(table).where(table.version_id.in_(unseen)),
                execution_options={"synchronize_session": False},
            )
        self._session.execute(delete(ResultVersion).where(ResultVersion.id.in_(unseen)))


def remove_superseded_before(session: Session, moment: datetime, *, limit: int) -> int:
    """Remove at most `limit` findings of old results, of all tenants; return how many went.

    A version itself goes once it has none.
    """
    old = session.scalars(
        select(ResultVersion.id).where(ResultVersion.superseded_at < moment).limit(1)
    ).one_or_none()
    if old is None:
        return 0
    gone = remove_result_rows(session, old, limit)
    if gone < limit:
        session.execute(delete(ResultVersion).where(ResultVersion.id == old))
    return max(gone, 1)
