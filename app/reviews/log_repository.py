"""The log of decisions as it is read."""

from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.models import ApiKey, DecisionEntry, DecisionStep, Sample, StepKind
from app.reviews.changes import LogRow, StepRow


class LogRepository:
    """Steps and entries of one data set of one tenant."""

    def __init__(self, session: Session, tenant_id: UUID, dataset_id: UUID) -> None:
        """Work inside the caller's unit of work."""
        self._session = session
        self._tenant_id = tenant_id
        self._dataset_id = dataset_id

    def entries(
        self,
        *,
        sample_id: int | None,
        step_id: int | None,
        newest_first: bool,
        after: int | None,
        limit: int,
    ) -> list[LogRow]:
        """Return entries in the order, or against the order, in which they were made."""
        entry_id = DecisionEntry.id
        in_order = entry_id.desc() if newest_first else entry_id.asc()
        page = select(entry_id).where(DecisionEntry.dataset_id == self._dataset_id)
        if sample_id is not None:
            page = page.where(DecisionEntry.sample_id == sample_id)
        if step_id is not None:
            page = page.where(DecisionEntry.step_id == step_id)
        if after is not None:
            page = page.where(entry_id < after if newest_first else entry_id > after)
        # The page first, from its index, then the rest of its rows: with statistics that are out
        # of date after a bulk step, PostgreSQL would join and sort the whole log.
        rows = self._session.execute(
            select(DecisionStep, ApiKey, DecisionEntry, Sample.path)
            .select_from(DecisionEntry)
            .join(DecisionStep, DecisionStep.id == DecisionEntry.step_id)
            .join(Sample, Sample.id == DecisionEntry.sample_id)
            .outerjoin(ApiKey, ApiKey.key_id == DecisionStep.key_id)
            .where(
                entry_id.in_(page.order_by(in_order).limit(limit).subquery().select()),
                DecisionStep.tenant_id == self._tenant_id,
            )
            .order_by(in_order)
        )
        return [LogRow(*row) for row in rows]

    def steps(self, *, after: int | None, limit: int) -> list[StepRow]:
        """Return steps, newest first."""
        statement = (
            select(DecisionStep, ApiKey)
            .outerjoin(ApiKey, ApiKey.key_id == DecisionStep.key_id)
            .where(
                DecisionStep.dataset_id == self._dataset_id,
                DecisionStep.tenant_id == self._tenant_id,
            )
            .order_by(DecisionStep.id.desc())
            .limit(limit)
        )
        if after is not None:
            statement = statement.where(DecisionStep.id < after)
        return [StepRow(*row) for row in self._session.execute(statement)]

    def num_after(self, entry_id: int) -> int:
        """Return how many decisions somebody looked at each sample for were made since an entry."""
        return self._session.scalars(
            select(func.count())
            .select_from(DecisionEntry)
            .join(DecisionStep, DecisionStep.id == DecisionEntry.step_id)
            .where(
                DecisionEntry.dataset_id == self._dataset_id,
                DecisionEntry.id > entry_id,
                DecisionStep.kind == StepKind.DECIDE,
                DecisionStep.by_filter.is_(False),
            )
        ).one()

    def step(self, step_id: int) -> StepRow:
        """Return one step."""
        row = self._session.execute(
            select(DecisionStep, ApiKey)
            .outerjoin(ApiKey, ApiKey.key_id == DecisionStep.key_id)
            .where(DecisionStep.id == step_id, DecisionStep.tenant_id == self._tenant_id)
        ).one()
        return StepRow(row[0], row[1])
