from sqlalchemy.orm import Session

from app.accounts.quotas import Quotas
from app.accounts.schemas import Principal
from app.core.ids import not_found
from app.core.queue import WakeUps
from app.datasets.schemas import NoImagesError
from app.datasets.service import DatasetService
from app.exports.repository import ExportRepository
from app.exports.schemas import (
    NEEDS_IMAGES,
    ExportCreated,
    ExportFormat,
    ExportOptions,
    ExportRead,
    NoAuditError,
)
from app.findings.query import FindingQuery
from app.findings.schemas import NotFinishedError
from app.findings.service import FindingService
from app.jobs.service import JobService
from app.models import Artifact, Dataset, Job, JobKind, JobState


class ExportService:
    """Exports of one tenant's data sets, inside one unit of work."""

    def __init__(
        self,
        session: Session,
        caller: Principal,
        wake_ups: WakeUps,
        *,
        quotas: Quotas | None = None,
    ) -> None:
        """Work for the caller's tenant; who just looks needs no `quotas`."""
        self._session = session
        self._tenant_id = caller.tenant_id
        self._datasets = DatasetService(session, self._tenant_id)
        self._jobs = JobService(session, self._tenant_id, wake_ups, quotas=quotas)
        self._findings = FindingService(session, self._tenant_id, wake_ups)

    def create(self, dataset_id: str, options: ExportOptions) -> ExportCreated:
        """Queue an export.

        Raises:
            NotFoundError: The tenant has no such data set, or it no such job.
            DatasetNotReadyError: It is not taken in yet, or could not be.
            NoImagesError: It holds scores, and the format is one of images.
            NoAuditError: The format, or the choice of labels, needs a finished audit.
            NotFinishedError: The audit that is named has not succeeded.
        """
        dataset = self._datasets.find_ready(dataset_id)
        if dataset.image_size is None and options.format in NEEDS_IMAGES:
            raise NoImagesError(f"This data set holds scores, and {options.format} needs images.")
        job_id = self._audit(dataset, options)
        needs_audit = options.format is ExportFormat.CLEANLAB or options.min_p is not None
        if job_id is None and needs_audit:
            raise NoAuditError("There are no suggestions yet: audit the data set first.")
        job = self._jobs.submit_export(dataset, options.model_copy(update={"job_id": job_id}))
        return ExportCreated(export_id=job.id, job_id=job.id)

    def read(self, export_id: str) -> ExportRead:
        """Describe an export.

        Raises:
            NotFoundError: The tenant has no such export.
        """
        job = self._find(export_id)
        return ExportRead.of(job, self._file(job))

    def file(self, export_id: str) -> Artifact:
        """Return the row of the finished file.

        Raises:
            NotFoundError: The tenant has no such export.
            NotFinishedError: It is not finished.
        """
        job = self._find(export_id)
        artifact = self._file(job)
        if job.state != JobState.SUCCEEDED or artifact is None:
            raise NotFinishedError(f"The export is {job.state}.", state=job.state)
        return artifact

    def _audit(self, dataset: Dataset, options: ExportOptions) -> str | None:
        """Return the job whose findings go in."""
        if options.job_id is not None:
            self._findings.matching(options.job_id, FindingQuery(), dataset=dataset)
            return options.job_id
        newest = ExportRepository(self._session, self._tenant_id, dataset.id).newest_audit()
        return None if newest is None else str(newest.id)

    def _find(self, export_id: str) -> Job:
        job = self._jobs.find(export_id)
        if job.kind != JobKind.EXPORT:
            raise not_found("export")
        return job

    def _file(self, job: Job) -> Artifact | None:
        return next(iter(self._findings.files(job)), None)
