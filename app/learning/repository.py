"""Findings beside the decisions on their samples, what to look at first, and audits compared."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import Select, case, func, literal, select
from sqlalchemy.orm import Session, aliased

from app.models import (
    OF_SAMPLE,
    Decision,
    DecisionEntry,
    DecisionStep,
    Exclusion,
    Finding,
    FirstLook,
    Job,
    JobKind,
    JobState,
    Sample,
    SampleRank,
)

VERIFIED = "verified"
"""Verdict of a sample that was decided on before its audit: pinned, so no evidence for it."""
_FETCHED_AT_ONCE = 5_000
_BATCH = 50_000
_ORIGINAL_P = func.coalesce(Finding.p_uncalibrated, Finding.p_mislabeled)


@dataclass(frozen=True, slots=True)
class Judged:
    """A finding and what is decided on its sample."""

    sample_id: int
    p_original: float | None
    p_mislabeled: float | None
    flagged: bool
    given_label: int
    suggested_label: int
    verdict: str
    decision: str | None
    exclusion: str | None
    entry_id: int | None
    by_filter: bool
    by_chance: bool

    @property
    def teaches(self) -> bool:
        """Whether the audit can learn from the decision: not if it knew it before."""
        return self.says_wrong is not None and self.verdict != VERIFIED

    @property
    def says_wrong(self) -> bool | None:
        """Whether a reviewer who looked found the label wrong; None where nobody said."""
        if self.by_filter:
            return None
        match self.decision, self.exclusion:
            case Decision.KEEP, _:
                return False
            case (Decision.RELABEL, _) | (Decision.EXCLUDE, Exclusion.OFF_TOPIC):
                return True
            case _:
                return None


@dataclass(frozen=True, slots=True)
class InForce:
    """What is decided on a sample; the label is there where it is another than the given one."""

    sample_id: int
    decision: str | None
    label: int | None


class LearningRepository:
    """What an audit's findings and the reviewers' decisions say of each other."""

    def __init__(self, session: Session, tenant_id: UUID) -> None:
        """Work inside the caller's unit of work, for one tenant."""
        self._session = session
        self._tenant_id = tenant_id

    def newest_entry(self, dataset_id: UUID) -> int:
        """Return the last entry of a data set's log, 0 before the first."""
        return self._session.scalars(
            select(func.coalesce(func.max(DecisionEntry.id), 0)).where(
                DecisionEntry.dataset_id == dataset_id
            )
        ).one()

    def in_force(self, dataset_id: UUID) -> list[InForce]:
        """Return the decisions in force of a data set."""
        rows = self._session.execute(
            select(Sample.id, Sample.decision, Sample.decided_label)
            .where(
                Sample.dataset_id == dataset_id,
                Sample.tenant_id == self._tenant_id,
                Sample.decision.is_not(None),
            )
            .order_by(Sample.id)
        )
        return [InForce(*row) for row in rows]

    def judged(self, version_id: int, job_id: UUID) -> Iterator[Judged]:
        """Yield all findings by rank, each with the decision in force."""
        yield from self._stream(self._judged(version_id, job_id).order_by(Finding.rank))

    def decided(self, version_id: int, job_id: UUID) -> Iterator[Judged]:
        """Yield the findings of decided samples."""
        statement = self._judged(version_id, job_id).join(SampleRank, OF_SAMPLE)
        yield from self._stream(
            statement.where(
                SampleRank.version_id == version_id,
                SampleRank.sample_id == Sample.id,
                Sample.decision.is_not(None),
            )
        )

    def rows(self, version_id: int) -> Iterator[list[dict[str, Any]]]:
        """Yield the whole rows of a version by rank, in batches that each are one query."""
        rank = 0
        columns = Finding.__table__.columns
        while True:
            batch = self._session.execute(
                select(*columns)
                .where(Finding.version_id == version_id, Finding.rank > rank)
                .order_by(Finding.rank)
                .limit(_BATCH)
            ).mappings()
            rows = [dict(row) for row in batch]
            if not rows:
                return
            yield rows
            rank = rows[-1]["rank"]

    def totals(self, version_id: int) -> dict[str, Any]:
        """Return counts over all findings, and over the undecided ones."""
        undecided = case((Sample.decision.is_(None), 1), else_=0)
        return dict(
            self._session.execute(
                select(
                    func.count().label("num_samples"),
                    func.count(Finding.p_mislabeled).label("num_judged"),
                    func.sum(case((Finding.flagged, 1), else_=0)).label("num_flagged"),
                    func.sum(undecided).label("num_undecided"),
                    func.sum(Finding.p_mislabeled * undecided).label("expected_left"),
                    func.sum(case((Finding.flagged, undecided), else_=0)).label("flagged_left"),
                )
                .join(Sample, Sample.id == Finding.sample_id)
                .where(Finding.version_id == version_id, Sample.tenant_id == self._tenant_id)
            )
            .mappings()
            .one()
        )

    def num_decisions(self, version_id: int) -> dict[str, int]:
        """Return how many samples have each decision."""
        rows = self._session.execute(
            select(Sample.decision, func.count())
            .join(SampleRank, SampleRank.sample_id == Sample.id)
            .where(
                SampleRank.version_id == version_id,
                Sample.tenant_id == self._tenant_id,
                Sample.decision.is_not(None),
            )
            .group_by(Sample.decision)
        )
        return {str(decision): count for decision, count in rows}

    def next_p(self, version_id: int, limit: int) -> Sequence[float]:
        """Return the probabilities of the next undecided samples, worst first."""
        values = self._session.scalars(
            select(Finding.p_mislabeled)
            .join(Sample, Sample.id == Finding.sample_id)
            .where(
                Finding.version_id == version_id,
                Sample.tenant_id == self._tenant_id,
                Sample.decision.is_(None),
                Finding.p_mislabeled.is_not(None),
            )
            .order_by(Finding.rank)
            .limit(limit)
        )
        return [value for value in values if value is not None]

    def _judged(self, version_id: int, job_id: UUID) -> Select[*tuple[Any, ...]]:
        return (
            select(
                Finding.sample_id, _ORIGINAL_P, Finding.p_mislabeled, Finding.flagged,
                Finding.given_label, Finding.suggested_label, Finding.verdict,
                Sample.decision, Sample.exclusion, Sample.decision_id,
                func.coalesce(DecisionStep.by_filter, literal(value=False)),
                func.coalesce(FirstLook.by_chance, literal(value=False)),
            )
            .join(Sample, Sample.id == Finding.sample_id)
            .outerjoin(DecisionEntry, DecisionEntry.id == Sample.decision_id)
            .outerjoin(DecisionStep, DecisionStep.id == DecisionEntry.step_id)
            .outerjoin(
                FirstLook,
                (FirstLook.sample_id == Finding.sample_id) & (FirstLook.job_id == job_id),
            )
            .where(Finding.version_id == version_id, Sample.tenant_id == self._tenant_id)
        )  # fmt: skip

    def _stream(self, statement: Any) -> Iterator[Judged]:
        streamed = statement.execution_options(yield_per=_FETCHED_AT_ONCE)
        with self._session.execute(streamed) as result:
            for row in result:
                yield Judged(*row)


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
