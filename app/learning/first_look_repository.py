"""Samples of an audit to look at first, of one tenant."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.models import OF_SAMPLE, Finding, FirstLook, Sample, SampleRank


class FirstLookRepository:
    """Lists them."""

    def __init__(self, session: Session, tenant_id: UUID) -> None:
        """Work inside the caller's unit of work, for one tenant."""
        self._session = session
        self._tenant_id = tenant_id

    def page(
        self, job_id: UUID, version_id: int, *, after: int | None, limit: int
    ) -> Sequence[tuple[FirstLook, Finding, Sample]]:
        """Return the next ones with their findings, in the order of the list."""
        statement = (
            select(FirstLook, Finding, Sample)
            .join(Sample, Sample.id == FirstLook.sample_id)
            .join(SampleRank, SampleRank.sample_id == FirstLook.sample_id)
            .join(Finding, OF_SAMPLE)
            .where(
                FirstLook.job_id == job_id,
                FirstLook.tenant_id == self._tenant_id,
                SampleRank.version_id == version_id,
            )
            .order_by(FirstLook.position)
            .limit(limit)
        )
        if after is not None:
            statement = statement.where(FirstLook.position > after)
        return [(row[0], row[1], row[2]) for row in self._session.execute(statement)]
