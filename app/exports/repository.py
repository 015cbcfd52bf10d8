"""What goes into an export, in streams: nothing here grows with the data set."""

from collections.abc import Generator
from typing import Any
from uuid import UUID

from sqlalchemy import and_, select
from sqlalchemy.orm import Session

from app.models import (
    JUDGING_KINDS,
    OF_SAMPLE,
    ApiKey,
    DecisionEntry,
    DecisionStep,
    Finding,
    Job,
    JobState,
    Sample,
    SampleRank,
)

_FETCHED_AT_ONCE = 5_000


class ExportRepository:
    """One data set of one tenant."""

    def __init__(self, session: Session, tenant_id: UUID, dataset_id: UUID) -> None:
        """Work inside the caller's unit of work."""
        self._session = session
        self._tenant_id = tenant_id
        self._dataset_id = dataset_id

    def newest_audit(self) -> Job | None:
        """Return the newest job with findings."""
        return self._session.scalar(
            select(Job)
            .where(
                Job.dataset_id == self._dataset_id,
                Job.tenant_id == self._tenant_id,
                Job.kind.in_(JUDGING_KINDS),
                Job.state == JobState.SUCCEEDED,
                Job.result_version.is_not(None),
            )
            .order_by(Job.created_at.desc(), Job.id.desc())
            .limit(1)
        )

    def result_version(self, job_id: UUID) -> int | None:
        """Return the published findings of a job of the data set."""
        return self._session.scalar(
            select(Job.result_version).where(
                Job.id == job_id,
                Job.dataset_id == self._dataset_id,
                Job.tenant_id == self._tenant_id,
            )
        )

    def samples(self, version_id: int | None) -> Generator[dict[str, Any], None, None]:
        """Yield all samples by position, with the decision in force and the findings.

        One statement, so one state of the decisions, whatever reviewers do meanwhile.
        """
        statement = (
            select(
                Sample.id, Sample.path, Sample.split, Sample.given_label, Sample.sha256,
                Sample.media_type, Sample.width, Sample.height,
                Sample.annotations, Sample.agreement, Sample.tied,
                Sample.decision, Sample.decided_label, Sample.exclusion,
                DecisionStep.created_at.label("decided_at"), DecisionStep.comment,
                DecisionStep.job_id.label("decided_under"), ApiKey.name.label("decided_by"),
                Finding.p_mislabeled, Finding.suggested_label, Finding.suggested_confidence,
                Finding.flagged, Finding.rank, Finding.verdict,
            )
            .outerjoin(DecisionEntry, DecisionEntry.id == Sample.decision_id)
            .outerjoin(DecisionStep, DecisionStep.id == DecisionEntry.step_id)
            .outerjoin(ApiKey, ApiKey.key_id == DecisionStep.key_id)
            .outerjoin(
                SampleRank,
                and_(SampleRank.sample_id == Sample.id, SampleRank.version_id == version_id),
            )
            .outerjoin(Finding, OF_SAMPLE)
            .where(Sample.dataset_id == self._dataset_id, Sample.tenant_id == self._tenant_id)
            .order_by(Sample.position)
        )  # fmt: skip
        yield from self._stream(statement)

    def log(self) -> Generator[dict[str, Any], None, None]:
        """Yield every change of every sample, in the order in which they were made."""
        statement = (
            select(
                DecisionEntry.id, DecisionEntry.step_id, DecisionStep.kind,
                DecisionEntry.sample_id, Sample.path,
                DecisionEntry.from_decision, DecisionEntry.from_label, DecisionEntry.from_reason,
                DecisionEntry.to_decision, DecisionEntry.to_label, DecisionEntry.to_reason,
                ApiKey.name.label("decided_by"), DecisionStep.created_at.label("decided_at"),
                DecisionStep.comment, DecisionStep.job_id.label("decided_under"),
            )
            .join(DecisionStep, DecisionStep.id == DecisionEntry.step_id)
            .join(Sample, Sample.id == DecisionEntry.sample_id)
            .outerjoin(ApiKey, ApiKey.key_id == DecisionStep.key_id)
            .where(
                DecisionEntry.dataset_id == self._dataset_id,
                DecisionStep.tenant_id == self._tenant_id,
            )
            .order_by(DecisionEntry.id)
        )  # fmt: skip
        yield from self._stream(statement)

    def _stream(self, statement: Any) -> Generator[dict[str, Any], None, None]:
        streamed = statement.execution_options(yield_per=_FETCHED_AT_ONCE)
        with self._session.execute(streamed) as result:
            for row in result.mappings():
                yield dict(row)
