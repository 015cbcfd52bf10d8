"""Decisions that a new version of a data set takes over from the one before."""

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session, aliased

from app.models import DecisionEntry, DecisionStep, Sample, StepKind

_FETCHED_AT_ONCE = 5_000


class Carried(NamedTuple):
    """One decision in force, and the sample of the new version that it is about."""

    entry: DecisionEntry
    step: DecisionStep
    sample_id: int


class CarryRepository:
    """From one version to the next; samples of both have the same positions."""

    def __init__(
        self, session: Session, tenant_id: UUID, parent_id: UUID, dataset_id: UUID
    ) -> None:
        """Work inside the caller's unit of work."""
        self._session = session
        self._tenant_id = tenant_id
        self._parent_id = parent_id
        self._dataset_id = dataset_id

    def in_force(self) -> Iterator[Carried]:
        """Yield the decisions of the version before, step by step."""
        new = aliased(Sample)
        statement = (
            select(DecisionEntry, DecisionStep, new.id)
            .join(DecisionStep, DecisionStep.id == DecisionEntry.step_id)
            .join(Sample, Sample.decision_id == DecisionEntry.id)
            .join(new, new.position == Sample.position)
            .where(
                Sample.dataset_id == self._parent_id,
                Sample.tenant_id == self._tenant_id,
                Sample.decision.is_not(None),
                new.dataset_id == self._dataset_id,
            )
            .order_by(DecisionEntry.step_id, DecisionEntry.id)
            .execution_options(yield_per=_FETCHED_AT_ONCE)
        )
        with self._session.execute(statement) as rows:
            yield from (Carried(*row) for row in rows)

    def add(
        self,
        decisions: Sequence[Carried],
        steps: dict[int, int],
        labels: Mapping[int, int],
    ) -> None:
        """Enter them into the log of the new version: by whom, when, and why, as they were made.

        `steps` tells the new id of each step that was copied before, and is completed; `labels`
        tells the new number of each old class, since a new one may stand between them.
        """
        missing = {step.id: step for _, step, _ in decisions if step.id not in steps}
        copies = {step_id: self._copied(step) for step_id, step in missing.items()}
        self._session.add_all(copies.values())
        self._session.flush()
        steps |= {step_id: copy.id for step_id, copy in copies.items()}
        self._session.add_all(
            self._entered(entry, steps[entry.step_id], sample_id, labels)
            for entry, _, sample_id in decisions
        )
        self._session.flush()

    def finish(self) -> None:
        """Put all that was entered in force."""
        ours = (DecisionEntry.dataset_id == self._dataset_id,)
        self._session.execute(
            update(Sample)
            .where(Sample.id == DecisionEntry.sample_id, Sample.tenant_id == self._tenant_id, *ours)
            .values(
                decision=DecisionEntry.to_decision,
                decided_label=DecisionEntry.to_label,
                exclusion=DecisionEntry.to_reason,
                decision_id=DecisionEntry.id,
                version=DecisionEntry.version,
            )
            .execution_options(synchronize_session=False)
        )
        counted = select(func.count()).where(DecisionEntry.step_id == DecisionStep.id)
        self._session.execute(
            update(DecisionStep)
            .where(DecisionStep.dataset_id == self._dataset_id)
            .values(num_samples=counted.scalar_subquery())
            .execution_options(synchronize_session=False)
        )

    def _copied(self, step: DecisionStep) -> DecisionStep:
        return DecisionStep(
            tenant_id=self._tenant_id,
            dataset_id=self._dataset_id,
            kind=StepKind.DECIDE,
            job_id=step.job_id,
            key_id=step.key_id,
            comment=step.comment,
            created_at=step.created_at,
            num_samples=0,
        )

    def _entered(
        self, entry: DecisionEntry, step_id: int, sample_id: int, labels: Mapping[int, int]
    ) -> DecisionEntry:
        label = entry.to_label
        return DecisionEntry(
            dataset_id=self._dataset_id,
            step_id=step_id,
            sample_id=sample_id,
            to_decision=entry.to_decision,
            to_label=None if label is None else labels[label],
            to_reason=entry.to_reason,
            version=2,
        )
