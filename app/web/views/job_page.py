"""What the page of a job and its printable report show."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self
from uuid import UUID

from sqlalchemy.orm import Session

from app.core.blobs import Blobs
from app.core.pagination import PageRequest
from app.core.queue import WakeUps
from app.datasets.schemas import DatasetRead, RejectedFileRead
from app.datasets.service import DatasetService
from app.findings.query import FindingQuery, SuspectTally
from app.findings.schemas import ArtifactRead, FindingRead
from app.findings.service import FindingService
from app.jobs.schemas import JobRead
from app.jobs.service import JobService
from app.models import FINAL_STATES, JUDGING_KINDS, JobKind, JobState
from app.web.views.audit_report import AuditReport, LossHistogram

_NUM_REJECTED = 20
_NUM_SUSPECTS = 24
_DOWNLOADS = ("safetensors", "onnx", "torchscript", "card", "report", "export")


@dataclass(frozen=True, slots=True, kw_only=True)
class JobPage:
    """A job with its data set and, once it has judged labels, what it found."""

    job: JobRead
    dataset: DatasetRead
    rejected: Sequence[RejectedFileRead]
    """The first of them."""
    report: AuditReport | None
    tally: SuspectTally | None
    """Of what the report tells."""
    downloads: Sequence[ArtifactRead]

    @property
    def is_active(self) -> bool:
        """Whether something about it will change by itself."""
        return self.job.state not in FINAL_STATES

    @property
    def can_retry(self) -> bool:
        """Whether it may be queued again."""
        return self.job.state in (JobState.FAILED, JobState.CANCELLED)

    @property
    def is_only_stored(self) -> bool:
        """Whether the data set came without an audit, so that one may be wanted."""
        return self.job.kind == JobKind.INGEST and self.job.state == JobState.SUCCEEDED

    @property
    def audit_id(self) -> str | None:
        """The audit that this job works for, where it is none itself."""
        return self.job.options.get("job_id")

    @property
    def histogram(self) -> LossHistogram | None:
        """Of the losses: those of the whole audit, or as they stand after the last epoch."""
        if self.report is not None:
            return self.report.loss_histogram
        latest = (self.job.progress.metrics or {}).get("loss_histogram")
        return None if latest is None else LossHistogram.model_validate(latest)

    @classmethod
    def read(
        cls, session: Session, tenant_id: UUID, wake_ups: WakeUps, blobs: Blobs, job_id: str
    ) -> Self:
        """Collect what the slices know.

        Raises:
            NotFoundError: The tenant has no such job.
        """
        job = JobService(session, tenant_id, wake_ups).read(job_id)
        datasets = DatasetService(session, tenant_id)
        dataset_id = str(job.dataset_id)
        findings = FindingService(session, tenant_id, wake_ups)
        by_kind = {file.kind: file for file in findings.artifacts(job_id).items}
        report = _report(job.kind, by_kind.get("report"), blobs)
        return cls(
            job=job,
            dataset=datasets.read(dataset_id),
            rejected=datasets.rejected(dataset_id, PageRequest(limit=_NUM_REJECTED)).items,
            report=report,
            tally=None if report is None else findings.tally(job_id),
            downloads=[by_kind[kind] for kind in _DOWNLOADS if kind in by_kind],
        )


def read_suspects(
    session: Session, tenant_id: UUID, wake_ups: WakeUps, job_id: str
) -> Sequence[FindingRead]:
    """Return the first suspects of a finished audit, worst first.

    Raises:
        NotFinishedError: It has not succeeded.
        NoFindingsError: The job judged no labels.
    """
    findings = FindingService(session, tenant_id, wake_ups)
    return findings.page(job_id, FindingQuery(flagged=True), PageRequest(limit=_NUM_SUSPECTS)).items


def _report(kind: JobKind, file: ArtifactRead | None, blobs: Blobs) -> AuditReport | None:
    if file is None or kind not in JUDGING_KINDS:
        return None
    return AuditReport.read(blobs.read(file.sha256, 0, file.size))
