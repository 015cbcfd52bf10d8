"""Steps on their way into the log, what is then in force beside each sample, and the log as read.

All statements work on whole sets: a step on a million samples is three of them.
"""

from collections.abc import Sequence
from typing import Any, cast
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    CursorResult,
    Integer,
    Select,
    String,
    case,
    func,
    insert,
    literal,
    null,
    select,
    update,
)
from sqlalchemy.orm import InstrumentedAttribute, Session, aliased

from app.accounts.schemas import Principal
from app.models import ApiKey, Decision, DecisionEntry, DecisionStep, Sample, StepKind
from app.reviews.changes import Change, LogRow, Preview, StepRow, Targets

_COPIED = ("decision", "label", "reason")


class ReviewRepository:
    """Changes to the decisions on one data set of one tenant."""

    def __init__(self, session: Session, tenant_id: UUID, dataset_id: UUID) -> None:
        """Work inside the caller's unit of work."""
        self._session = session
        self._tenant_id = tenant_id
        self._dataset_id = dataset_id

    def by_ids(self, sample_ids: Sequence[int]) -> Targets:
        """Return targets that are given one by one."""
        nothing = literal(None, Integer).label("suggested_label")
        own: Targets = self._own(select(Sample.id.label("sample_id"), nothing))
        return own.where(Sample.id.in_(sample_ids))

    def versions(self, sample_ids: Sequence[int]) -> dict[int, int]:
        """Return the version of each of these samples that the data set has."""
        rows = self._session.execute(
            self._own(select(Sample.id, Sample.version)).where(Sample.id.in_(sample_ids))
        )
        return {sample_id: version for sample_id, version in rows}  # noqa: C416 - typed rows

    def count(self, targets: Targets) -> int:
        """Return the number of samples that a step would change."""
        return self._session.scalars(select(func.count()).select_from(targets.subquery())).one()

    def preview(self, targets: Targets, change: Change, *, limit: int) -> list[Preview]:
        """Return random samples of a step, and what they would become."""
        rows = targets.subquery()
        statement = (
            self._own(select(Sample, *_new_values(change, rows.c.suggested_label)))
            .join(rows, rows.c.sample_id == Sample.id)
            .order_by(func.random())
            .limit(limit)
        )
        return [Preview(*row) for row in self._session.execute(statement)]

    def add_step(
        self,
        kind: StepKind,
        *,
        by: Principal,
        target: DecisionStep | None = None,
        job_id: UUID | None = None,
        comment: str | None = None,
        by_filter: bool = False,
        resolves: bool = False,
    ) -> DecisionStep:
        """Open a step."""
        step = DecisionStep(
            tenant_id=self._tenant_id,
            dataset_id=self._dataset_id,
            kind=kind,
            target_id=None if target is None else target.id,
            undone=False,
            job_id=job_id,
            key_id=by.key_id,
            comment=comment,
            num_samples=0,
            by_filter=by_filter,
            resolves=resolves,
        )
        self._session.add(step)
        self._session.flush()
        return step

    def decide(self, step: DecisionStep, targets: Targets, change: Change) -> None:
        """Log a decision on every target, and put it in force."""
        rows = targets.subquery()
        to_decision, to_label = _new_values(change, rows.c.suggested_label)
        reason = literal(change.reason, String)
        source = self._own(
            select(*self._before(step), to_decision, to_label, reason, literal(None, Integer)).join(
                rows, rows.c.sample_id == Sample.id
            )
        )
        step.num_samples = self._log(source.order_by(Sample.id))
        self._put_in_force(step, DecisionEntry.id)

    def num_overtaken(self, target: DecisionStep, kind: StepKind) -> int:
        """Return how many of a step's samples have moved on since it was done, or undone."""
        in_force = DecisionEntry.id if kind is StepKind.UNDO else DecisionEntry.previous_id
        return self._session.scalars(
            select(func.count())
            .select_from(DecisionEntry)
            .join(Sample, Sample.id == DecisionEntry.sample_id)
            .where(
                DecisionEntry.step_id == target.id,
                Sample.decision_id.is_distinct_from(in_force),
            )
        ).one()

    def revert(self, step: DecisionStep, target: DecisionStep) -> None:
        """Log the undoing or redoing of `target`, and put in force what it leads back to."""
        old = aliased(DecisionEntry)
        is_undo = step.kind is StepKind.UNDO
        side = "from" if is_undo else "to"
        values = [getattr(old, f"{side}_{name}") for name in _COPIED]
        source = self._own(
            select(*self._before(step), *values, old.previous_id if is_undo else old.id)
            .join(old, old.sample_id == Sample.id)
            .where(old.step_id == target.id)
        )
        step.num_samples = self._log(source.order_by(Sample.id))
        self._put_in_force(step, DecisionEntry.restored_id)
        target.undone = is_undo

    def get_step(self, step_id: int) -> DecisionStep | None:
        """Find a step that decides something."""
        return self._session.scalar(self._decisive().where(DecisionStep.id == step_id))

    def newest_in_force(self, *, by: Principal | None) -> DecisionStep | None:
        """Return the newest step that is not undone, of one reviewer or of anybody."""
        statement = self._decisive().where(~DecisionStep.undone)
        return self._session.scalar(_by(statement, by).order_by(DecisionStep.id.desc()).limit(1))

    def newest_undone(self, *, by: Principal | None) -> DecisionStep | None:
        """Return the step that was undone last and still is, of one reviewer or of anybody."""
        undo = aliased(DecisionStep)
        statement = (
            self._decisive()
            .join(undo, undo.target_id == DecisionStep.id)
            .where(
                DecisionStep.undone,
                undo.dataset_id == self._dataset_id,
                undo.kind == StepKind.UNDO,
            )
        )
        return self._session.scalar(_by(statement, by).order_by(undo.id.desc()).limit(1))

    def _decisive(self) -> Select[DecisionStep]:
        return select(DecisionStep).where(
            DecisionStep.dataset_id == self._dataset_id,
            DecisionStep.tenant_id == self._tenant_id,
            DecisionStep.kind == StepKind.DECIDE,
        )

    def _own(self, statement: Any) -> Any:
        return statement.where(
            Sample.dataset_id == self._dataset_id, Sample.tenant_id == self._tenant_id
        )

    def _before(self, step: DecisionStep) -> list[Any]:
        """Return what an entry keeps of its sample as it was, in the order of `_COLUMNS`."""
        return [
            literal(self._dataset_id),
            literal(step.id),
            Sample.id,
            Sample.version + 1,
            Sample.decision_id,
            Sample.decision,
            Sample.decided_label,
            Sample.exclusion,
        ]

    def _log(self, source: Select[*tuple[Any, ...]]) -> int:
        result = self._session.execute(
            insert(DecisionEntry).from_select(_COLUMNS, source),
            execution_options={"preserve_rowcount": True},
        )
        return cast("CursorResult[Any]", result).rowcount

    def _put_in_force(self, step: DecisionStep, entry_id: InstrumentedAttribute[Any]) -> None:
        self._session.execute(
            update(Sample)
            .where(Sample.id == DecisionEntry.sample_id, DecisionEntry.step_id == step.id)
            .values(
                decision=DecisionEntry.to_decision,
                decided_label=DecisionEntry.to_label,
                exclusion=DecisionEntry.to_reason,
                decision_id=entry_id,
                version=DecisionEntry.version,
            )
            .execution_options(synchronize_session=False)
        )


_COLUMNS = [
    "dataset_id", "step_id", "sample_id", "version", "previous_id",
    "from_decision", "from_label", "from_reason",
    "to_decision", "to_label", "to_reason", "restored_id",
]  # fmt: skip


def _new_values(
    change: Change, suggested_label: ColumnElement[Any]
) -> tuple[ColumnElement[str], ColumnElement[int | None]]:
    """Return (decision, label); to relabel to the given label is to keep it."""
    if change.decision is not Decision.RELABEL:
        return literal(change.decision.value, String), literal(None, Integer)
    label = suggested_label if change.accept_suggestion else literal(change.label, Integer)
    is_given = label == Sample.given_label
    return (
        case((is_given, Decision.KEEP.value), else_=Decision.RELABEL.value),
        case((is_given, null()), else_=label),
    )


def _by(statement: Select[DecisionStep], by: Principal | None) -> Select[DecisionStep]:
    if by is None:
        return statement
    return statement.where(DecisionStep.key_id.is_not_distinct_from(by.key_id))


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
