"""Results on their way in: staged under a version that nobody sees until it is published."""

from collections.abc import Mapping, Sequence
from typing import Any, cast
from uuid import UUID

from sqlalchemy import Table, delete, select
from sqlalchemy.orm import Session

from app.core.bulk import insert_rows
from app.models import Artifact, Finding, Job, ResultVersion


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

    def add_findings(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Add findings, each with its `version_id`."""
        insert_rows(self._session, cast("Table", Finding.__table__), rows)

    def add_artifact(self, artifact: Artifact) -> None:
        """Add one file of the results."""
        self._session.add(artifact)

    def drop_unpublished(self) -> None:
        """Remove every version that the job row does not point to."""
        published = select(Job.result_version).where(
            Job.id == self._job_id, Job.result_version.is_not(None)
        )
        self._session.execute(
            delete(ResultVersion).where(
                ResultVersion.job_id == self._job_id,
                ResultVersion.tenant_id == self._tenant_id,
                ResultVersion.id.not_in(published),
            )
        )
