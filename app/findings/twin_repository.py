"""Samples that show the very same picture as others."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session, aliased

from app.findings.query import TwinRow
from app.models import Sample, SampleRank

_MAX_TWINS = 1_000
"""Of all samples of a page together; a picture may be there ten thousand times."""
_Twin = aliased(Sample, name="twin")


class TwinRepository:
    """Samples of one tenant beside an audit's results."""

    def __init__(self, session: Session, tenant_id: UUID) -> None:
        """Work inside the caller's unit of work, for one tenant."""
        self._session = session
        self._tenant_id = tenant_id

    def of(self, version_id: int, sample_ids: Sequence[int]) -> list[TwinRow]:
        """Return the twins of some samples in the order of their data set."""
        rows = self._session.execute(
            select(Sample.id, _Twin.id, _Twin.path, _Twin.given_label, SampleRank.rank.is_not(None))
            .join(
                _Twin,
                (_Twin.dataset_id == Sample.dataset_id)
                & (_Twin.picture == Sample.picture)
                & _Twin.picture.is_not(None)  # for the index, which has no others
                & (_Twin.id != Sample.id),
            )
            .outerjoin(
                SampleRank,
                (SampleRank.version_id == version_id) & (SampleRank.sample_id == _Twin.id),
            )
            .where(Sample.id.in_(sample_ids), Sample.tenant_id == self._tenant_id)
            .order_by(_Twin.position)
            .limit(_MAX_TWINS)
        )
        return [TwinRow(*row) for row in rows]
