"""Two audits of one data set beside each other, of one tenant."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import func, literal, select
from sqlalchemy.orm import Session, aliased

from app.learning.repository import VERIFIED
from app.models import Finding, Job, JobKind, JobState, Sample, SampleRank


class DifferenceRepository:
    """Flags of two versions of results."""

    def __init__(self, session: Session, tenant_id: UUID) -> None:
        """Work inside the caller's unit of work, for one tenant."""
        self._session = session
        self._tenant_id = tenant_id

    def earlier_audit(self, job: Job) -> Job | None:
        """Return the last audit of the data set that had succeeded when this one was asked for."""
        return self._session.scalar(
            select(Job)
            .where(
                Job.dataset_id == job.dataset_id,
                Job.tenant_id == self._tenant_id,
                Job.kind == JobKind.AUDIT,
                Job.state == JobState.SUCCEEDED,
                Job.result_version.is_not(None),
                Job.created_at < job.created_at,
            )
            .order_by(Job.created_at.desc(), Job.id.desc())
            .limit(1)
        )

    def changed_flags(
        self, version_id: int, other_id: int, limit: int
    ) -> tuple[int, Sequence[tuple[Finding, str]]]:
        """Return how many samples one version flags and another does not, and the worst of them."""
        other, place = aliased(Finding), aliased(SampleRank)
        statement = (
            select(Finding, Sample.path)
            .join(Sample, Sample.id == Finding.sample_id)
            .outerjoin(
                place, (place.sample_id == Finding.sample_id) & (place.version_id == other_id)
            )
            .outerjoin(other, (other.version_id == other_id) & (other.rank == place.rank))
            .where(
                Finding.version_id == version_id,
                Sample.tenant_id == self._tenant_id,
                Finding.flagged,
                func.coalesce(other.flagged, literal(value=False)).is_(False),
            )
        )
        count = self._session.scalars(select(func.count()).select_from(statement.subquery())).one()
        rows = self._session.execute(statement.order_by(Finding.rank).limit(limit))
        return count, [(row[0], row[1]) for row in rows]

    def verified(self, version_id: int) -> Sequence[Finding]:
        """Return the findings of samples that had been decided on before the audit."""
        return self._session.scalars(
            select(Finding)
            .join(Sample, Sample.id == Finding.sample_id)
            .where(
                Finding.version_id == version_id,
                Sample.tenant_id == self._tenant_id,
                Finding.verdict == VERIFIED,
            )
        ).all()
