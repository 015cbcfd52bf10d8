"""Promises of one tenant, the lists that they pin, and their checks."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Select, delete, func, insert, literal, select, tuple_, update
from sqlalchemy.orm import Session

from app.models import (
    Decision,
    DecisionEntry,
    DecisionStep,
    Exclusion,
    Finding,
    Promise,
    PromiseCheck,
    PromiseSample,
    Sample,
    Split,
)
from app.promises.terms import Check

_SAYS_WRONG = (Sample.decision == Decision.RELABEL) | (
    (Sample.decision == Decision.EXCLUDE) & (Sample.exclusion == Exclusion.OFF_TOPIC)
)


class PromiseRepository:
    """Opens, reads and answers them."""

    def __init__(self, session: Session, tenant_id: UUID) -> None:
        """Work inside the caller's unit of work, for one tenant."""
        self._session = session
        self._tenant_id = tenant_id

    def add(self, promise: Promise) -> None:
        """Store a promise."""
        self._session.add(promise)
        self._session.flush()

    def get(self, promise_id: UUID) -> Promise | None:
        """Find a promise, as it is now."""
        return self._session.scalar(
            select(Promise)
            .where(Promise.id == promise_id, Promise.tenant_id == self._tenant_id)
            .execution_options(populate_existing=True)
        )

    def newest(
        self, job_id: UUID, *, after: tuple[datetime, UUID] | None, limit: int
    ) -> Sequence[Promise]:
        """Return the promises of an audit, newest first."""
        statement = (
            select(Promise)
            .where(Promise.job_id == job_id, Promise.tenant_id == self._tenant_id)
            .order_by(Promise.created_at.desc(), Promise.id.desc())
            .limit(limit)
        )
        if after is not None:
            statement = statement.where(tuple_(Promise.created_at, Promise.id) < after)
        return self._session.scalars(statement).all()

    def last_entry(self, dataset_id: UUID) -> int:
        """Return the last entry of a data set's log, 0 before the first."""
        return self._session.scalars(
            select(func.coalesce(func.max(DecisionEntry.id), 0)).where(
                DecisionEntry.dataset_id == dataset_id
            )
        ).one()

    def num_ranked(self, version_id: int) -> int:
        """Return how many judged samples nobody has decided on."""
        return self._count(self._ranked(version_id, Finding.rank))

    def mean_p(self, version_id: int) -> float:
        """Return the share of these that the audit takes for wrong; 0 where it says nothing."""
        mean = self._ranked(version_id, func.avg(Finding.p_mislabeled))
        return float(self._session.scalar(mean) or 0.0)

    def pin(self, promise: Promise, limit: int) -> None:
        """Copy the first undecided samples of the ranked list."""
        place = func.row_number().over(order_by=Finding.rank)
        listed = self._ranked(
            promise.version_id, place, Finding.sample_id, Finding.suggested_label
        ).order_by(Finding.rank)
        rows = listed.limit(limit).subquery()
        source = select(literal(promise.id), *rows.columns)
        names = ["promise_id", "place", "sample_id", "suggested_label"]
        self._session.execute(insert(PromiseSample).from_select(names, source))

    def unpin(self, promise_id: UUID) -> None:
        """Forget the list of a promise that allows nothing."""
        self._session.execute(
            delete(PromiseSample)
            .where(PromiseSample.promise_id == promise_id)
            .execution_options(synchronize_session=False)
        )

    def pinned(self, promise_id: UUID, places: Iterable[int]) -> dict[int, tuple[int, int | None]]:
        """Return sample and suggested label at places of the pinned list."""
        rows = self._session.execute(
            select(
                PromiseSample.place, PromiseSample.sample_id, PromiseSample.suggested_label
            ).where(PromiseSample.promise_id == promise_id, PromiseSample.place.in_(set(places)))
        )
        return {place: (sample_id, label) for place, sample_id, label in rows}

    def num_unreviewed(self, dataset_id: UUID) -> int:
        """Return how many samples of the training split nobody has decided on."""
        return self._count(self._unreviewed(dataset_id, Sample.id))

    def unreviewed(
        self, dataset_id: UUID, places: Iterable[int]
    ) -> dict[int, tuple[int, int | None]]:
        """Return these samples at places of their order by number, without any suggestion."""
        place = func.row_number().over(order_by=Sample.id).label("place")
        listed = self._unreviewed(dataset_id, Sample.id, place).subquery()
        rows = self._session.execute(
            select(listed.c.place, listed.c.id).where(listed.c.place.in_(set(places)))
        )
        return {place: (sample_id, None) for place, sample_id in rows}

    def add_checks(
        self, promise_id: UUID, draws: Iterable[Sequence[tuple[int, int | None]]]
    ) -> None:
        """Store what was drawn for each band, in its order."""
        self._session.execute(
            insert(PromiseCheck),
            [
                {
                    "promise_id": promise_id,
                    "band": band,
                    "position": position,
                    "sample_id": sample_id,
                    "suggested_label": label,
                }
                for band, drawn in enumerate(draws)
                for position, (sample_id, label) in enumerate(drawn)
            ],
        )

    def checks(self, promise_id: UUID) -> list[Check]:
        """Return all checks in their order, each with its answer unless that is undone."""
        rows = self._session.execute(
            select(
                PromiseCheck.band, PromiseCheck.position, PromiseCheck.sample_id,
                PromiseCheck.suggested_label, Sample.path, Sample.given_label,
                Sample.sha256.is_not(None), DecisionEntry.to_decision, DecisionEntry.to_label,
                DecisionEntry.to_reason,
            )
            .join(Sample, Sample.id == PromiseCheck.sample_id)
            .outerjoin(
                DecisionStep,
                (DecisionStep.id == PromiseCheck.step_id) & DecisionStep.undone.is_(False),
            )
            .outerjoin(
                DecisionEntry,
                (DecisionEntry.step_id == DecisionStep.id)
                & (DecisionEntry.sample_id == PromiseCheck.sample_id),
            )
            .where(PromiseCheck.promise_id == promise_id, Sample.tenant_id == self._tenant_id)
            .order_by(PromiseCheck.band, PromiseCheck.position)
        )  # fmt: skip
        return [Check._make(row) for row in rows]

    def answer(self, promise_id: UUID, sample_id: int, step_id: int) -> None:
        """Note which step answers a sample, in all bands that drew it."""
        self._session.execute(
            update(PromiseCheck)
            .where(PromiseCheck.promise_id == promise_id, PromiseCheck.sample_id == sample_id)
            .values(step_id=step_id)
            .execution_options(synchronize_session=False)
        )

    def found(self, promise: Promise) -> set[int]:
        """Return the samples that were undecided at the opening and are found wrong by now.

        By somebody who looked: a filter finds nothing.
        """
        before = (
            select(DecisionEntry.to_decision)
            .where(DecisionEntry.sample_id == Sample.id, DecisionEntry.id <= promise.opened_after)
            .order_by(DecisionEntry.id.desc())
            .limit(1)
            .correlate(Sample)
            .scalar_subquery()
        )
        return set(
            self._session.scalars(
                select(Sample.id)
                # By its key: SQLite would else look through all samples for each entry.
                .join(DecisionEntry, DecisionEntry.sample_id == Sample.id)
                .join(DecisionStep, DecisionStep.id == DecisionEntry.step_id)
                .where(
                    DecisionEntry.dataset_id == promise.dataset_id,
                    DecisionEntry.id > promise.opened_after,
                    DecisionEntry.id == Sample.decision_id,
                    DecisionStep.by_filter.is_(False),
                    Sample.tenant_id == self._tenant_id,
                    Sample.split == Split.TRAIN,
                    _SAYS_WRONG,
                    before.is_(None),
                )
            )
        )

    def acceptable(self, promise_id: UUID, size: int) -> Select[int, int]:
        """Return the query for (sample_id, suggested_label) of a band's undecided samples."""
        return (
            select(PromiseSample.sample_id, PromiseSample.suggested_label)
            .join(Sample, Sample.id == PromiseSample.sample_id)
            .where(
                PromiseSample.promise_id == promise_id,
                PromiseSample.place <= size,
                Sample.tenant_id == self._tenant_id,
                Sample.decision.is_(None),
            )
        )

    def num_acceptable(self, promise_id: UUID, size: int) -> int:
        """Return how many samples of a band nobody has decided on."""
        return self._count(self.acceptable(promise_id, size))

    def _ranked(self, version_id: int, *columns: ColumnElement[Any] | Any) -> Any:
        return (
            select(*columns)
            .join(Sample, Sample.id == Finding.sample_id)
            .where(
                Finding.version_id == version_id,
                Sample.tenant_id == self._tenant_id,
                Sample.decision.is_(None),
            )
        )

    def _unreviewed(self, dataset_id: UUID, *columns: ColumnElement[Any] | Any) -> Any:
        return select(*columns).where(
            Sample.dataset_id == dataset_id,
            Sample.tenant_id == self._tenant_id,
            Sample.split == Split.TRAIN,
            Sample.decision.is_(None),
        )

    def _count(self, statement: Any) -> int:
        return self._session.scalars(select(func.count()).select_from(statement.subquery())).one()
