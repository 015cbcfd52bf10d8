"""Claims, second opinions and what reviewers think, of one data set of one tenant."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, cast
from uuid import UUID

from sqlalchemy import CursorResult, Table, delete, exists, func, select
from sqlalchemy.orm import Session, aliased

from app.claims.opinions import ClaimedRow, Opinion
from app.core.bulk import as_columns, insert_missing
from app.models import (
    FLAGGED,
    OF_SAMPLE,
    ApiKey,
    DecisionEntry,
    DecisionStep,
    Finding,
    ReviewClaim,
    Sample,
    SampleRank,
    SecondOpinion,
    StepKind,
)

_WHO = func.coalesce(DecisionStep.key_id, "")


class ClaimRepository:
    """Which samples are whose."""

    def __init__(self, session: Session, tenant_id: UUID, dataset_id: UUID) -> None:
        """Work inside the caller's unit of work."""
        self._session = session
        self._tenant_id = tenant_id
        self._dataset_id = dataset_id

    def drop_expired(self, now: datetime) -> None:
        """Forget claims whose time is over."""
        self._delete(ReviewClaim.expires_at <= now)

    def release(self, reviewer: str, step: DecisionStep) -> None:
        """Forget a reviewer's claims on the samples of a step."""
        decided = select(DecisionEntry.sample_id).where(DecisionEntry.step_id == step.id)
        self._delete(ReviewClaim.reviewer == reviewer, ReviewClaim.sample_id.in_(decided))

    def release_all(self, reviewer: str, job_id: UUID) -> int:
        """Forget all claims of a reviewer under an audit; return how many there were."""
        return self._delete(ReviewClaim.reviewer == reviewer, ReviewClaim.job_id == job_id)

    def held(
        self,
        version_id: int,
        job_id: UUID,
        reviewer: str,
        now: datetime,
        *,
        sample_id: int | None = None,
    ) -> Sequence[ClaimedRow]:
        """Return what a reviewer holds under an audit, worst first; of one sample or of all."""
        rows = self._session.execute(
            select(ReviewClaim, Finding, Sample.path, Sample.version, Sample.sha256.is_not(None))
            .join(SampleRank, SampleRank.sample_id == ReviewClaim.sample_id)
            .join(Finding, OF_SAMPLE)
            .join(Sample, Sample.id == ReviewClaim.sample_id)
            .where(
                ReviewClaim.tenant_id == self._tenant_id,
                ReviewClaim.job_id == job_id,
                ReviewClaim.reviewer == reviewer,
                ReviewClaim.expires_at > now,
                SampleRank.version_id == version_id,
                *(() if sample_id is None else (ReviewClaim.sample_id == sample_id,)),
            )
            .order_by(Finding.rank)
        )
        return [ClaimedRow(*row) for row in rows]

    def num_held(self, reviewer: str) -> int:
        """Return how many samples of the data set a reviewer holds."""
        return self._session.scalars(
            select(func.count()).where(
                ReviewClaim.dataset_id == self._dataset_id,
                ReviewClaim.tenant_id == self._tenant_id,
                ReviewClaim.reviewer == reviewer,
            )
        ).one()

    def next_fresh(self, version_id: int, limit: int) -> Sequence[int]:
        """Return the worst samples that nobody holds or has decided on."""
        return self._session.scalars(
            select(Finding.sample_id)
            .join(Sample, Sample.id == Finding.sample_id)
            .where(
                Finding.version_id == version_id,
                Sample.tenant_id == self._tenant_id,
                Sample.decision.is_(None),
                ~exists().where(ReviewClaim.sample_id == Finding.sample_id),
            )
            .order_by(Finding.rank)
            .limit(limit)
        ).all()

    def num_open(self, version_id: int, now: datetime, *, at_most: int) -> int:
        """Count suspects that nobody holds or has decided on, no further than `at_most`."""
        is_held = exists().where(
            ReviewClaim.sample_id == Finding.sample_id, ReviewClaim.expires_at > now
        )
        found = (
            select(Finding.rank)
            .join(Sample, Sample.id == Finding.sample_id)
            .where(
                Finding.version_id == version_id,
                FLAGGED,
                Sample.tenant_id == self._tenant_id,
                Sample.decision.is_(None),
                ~is_held,
            )
            .limit(at_most)
            .subquery()
        )
        return self._session.scalar(select(func.count()).select_from(found)) or 0

    def next_second(
        self, version_id: int, job_id: UUID, reviewer: str, limit: int
    ) -> Sequence[int]:
        """Return the worst samples that one other reviewer, and nobody else, has decided on."""
        seen = self._opinions(job_id).subquery()
        once = (
            select(seen.c.sample_id)
            .group_by(seen.c.sample_id)
            .having(func.count(seen.c.who.distinct()) == 1, func.max(seen.c.who) != reviewer)
        )
        return self._session.scalars(
            select(SampleRank.sample_id)
            .where(
                SampleRank.version_id == version_id,
                SampleRank.sample_id.in_(once),
                ~exists().where(ReviewClaim.sample_id == SampleRank.sample_id),
            )
            .order_by(SampleRank.rank)
            .limit(limit)
        ).all()

    def add(self, claims: Iterable[ReviewClaim]) -> None:
        """Store claims."""
        self._session.add_all(claims)
        self._session.flush()

    def ask_second(self, job_id: UUID, sample_ids: Iterable[int], now: datetime) -> None:
        """Note that these samples need two opinions."""
        rows = [
            {
                "tenant_id": self._tenant_id,
                "job_id": job_id,
                "sample_id": sample_id,
                "created_at": now,
            }
            for sample_id in sample_ids
        ]
        insert_missing(self._session, cast("Table", SecondOpinion.__table__), as_columns(rows))

    def num_assigned(self, job_id: UUID) -> int:
        """Return how many samples are to have two opinions."""
        return self._session.scalars(
            select(func.count()).where(
                SecondOpinion.job_id == job_id, SecondOpinion.tenant_id == self._tenant_id
            )
        ).one()

    def opinions(self, job_id: UUID | None = None) -> list[Opinion]:
        """Return each reviewer's last decision on each sample that is to have two, by sample.

        Of one audit of the data set, or of all.
        """
        newest = self._opinions(job_id).subquery()
        rows = self._session.execute(
            select(
                DecisionEntry.id.label("entry_id"), DecisionEntry.sample_id, Sample.path,
                Sample.given_label, Sample.version, Sample.sha256.is_not(None).label("has_image"),
                _WHO.label("reviewer"),
                ApiKey.name.label("who"), DecisionEntry.to_decision.label("decision"),
                DecisionEntry.to_label.label("label"), DecisionEntry.to_reason.label("reason"),
                DecisionStep.created_at.label("at"), DecisionStep.resolves,
            )
            .join(newest, newest.c.entry_id == DecisionEntry.id)
            .join(DecisionStep, DecisionStep.id == DecisionEntry.step_id)
            .join(Sample, Sample.id == DecisionEntry.sample_id)
            .outerjoin(ApiKey, ApiKey.key_id == DecisionStep.key_id)
            .where(Sample.tenant_id == self._tenant_id)
            .order_by(DecisionEntry.sample_id, DecisionEntry.id)
        )  # fmt: skip
        return [Opinion(**row) for row in rows.mappings()]

    def _opinions(self, job_id: UUID | None) -> Any:
        """Select (sample_id, who, entry_id): the last decisions that stand, settling ones apart."""
        entry, step = aliased(DecisionEntry), aliased(DecisionStep)
        who = func.coalesce(step.key_id, "")
        return (
            select(
                entry.sample_id.label("sample_id"),
                who.label("who"),
                func.max(entry.id).label("entry_id"),
            )
            .join(step, step.id == entry.step_id)
            .join(SecondOpinion, SecondOpinion.sample_id == entry.sample_id)
            .where(
                SecondOpinion.tenant_id == self._tenant_id,
                entry.dataset_id == self._dataset_id,
                *(() if job_id is None else (SecondOpinion.job_id == job_id,)),
                step.kind == StepKind.DECIDE,
                step.undone.is_(False),
                step.by_filter.is_(False),
            )
            .group_by(entry.sample_id, who, step.resolves)
        )

    def _delete(self, *conditions: Any) -> int:
        result = self._session.execute(
            delete(ReviewClaim).where(
                ReviewClaim.dataset_id == self._dataset_id,
                ReviewClaim.tenant_id == self._tenant_id,
                *conditions,
            )
        )
        return cast("CursorResult[Any]", result).rowcount
