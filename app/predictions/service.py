from uuid import UUID

from sqlalchemy.orm import Session

from app.accounts.quotas import Quotas
from app.core.queue import WakeUps
from app.findings.schemas import ModelFormat, NotFinishedError
from app.findings.service import FindingService
from app.jobs.service import JobService
from app.models import Artifact, Job, JobKind, JobState
from app.predictions.schemas import ARTIFACT, NoPredictionsError, PredictOptions


class PredictionService:
    """Predictions of one tenant's models, inside one unit of work."""

    def __init__(
        self,
        session: Session,
        tenant_id: UUID,
        wake_ups: WakeUps,
        *,
        quotas: Quotas | None = None,
    ) -> None:
        """Work for one tenant; who just looks needs no `quotas`."""
        self._jobs = JobService(session, tenant_id, wake_ups, quotas=quotas)
        self._findings = FindingService(session, tenant_id, wake_ups)

    def require_model(self, job_id: str) -> None:
        """Go on only with an audit that has a model.

        Raises:
            NotFoundError: The tenant has no such job.
            NotFinishedError: It has not succeeded.
            NoModelError: It judged uploaded probabilities.
            NoFindingsError: It is no audit.
        """
        self._findings.model(job_id, ModelFormat.SAFETENSORS)

    def submit(self, options: PredictOptions, *, new_id: UUID, num_bytes: int) -> Job:
        """Queue the job, under `new_id`; its images have `num_bytes`.

        Raises:
            AppError: As `require_model`.
            QuotaExceededError: The tenant has too many jobs waiting.
        """
        self.require_model(options.job_id)
        audit = self._jobs.find(options.job_id)
        return self._jobs.submit_prediction(
            audit.dataset_id, options, job_id=new_id, input_bytes=num_bytes
        )

    def state(self, job_id: UUID) -> Job:
        """Return a job's row as it is now."""
        return self._jobs.find(str(job_id))

    def answer(self, job_id: str) -> Artifact:
        """Return the row of the answer's file.

        Raises:
            NotFoundError: The tenant has no such job.
            NoPredictionsError: It is of another kind.
            NotFinishedError: It has not succeeded.
        """
        job = self._jobs.find(job_id)
        if job.kind != JobKind.PREDICT:
            raise NoPredictionsError("This job shows no images to a model.")
        found = [file for file in self._findings.files(job) if file.kind == ARTIFACT]
        if job.state != JobState.SUCCEEDED or not found:
            raise NotFinishedError(f"The job is {job.state}.", state=job.state)
        return found[0]
