from collections.abc import Sequence
from datetime import datetime
from uuid import UUID, uuid4

import structlog
from sqlalchemy.orm import Session

from app.accounts.quotas import Quotas
from app.core.clock import utc_now
from app.core.db import after_commit
from app.core.errors import NotFoundError
from app.core.ids import not_found, parse_uuid
from app.core.pagination import CREATED_KEY, Cursors, PageRequest, created_key, paginate
from app.core.queue import WakeUps
from app.core.schemas import InputModel, Page
from app.datasets.incoming import StoredUpload
from app.datasets.schemas import NoImagesError, TableColumns
from app.datasets.service import DatasetService
from app.jobs.lease_repository import AttemptRepository, LeaseRepository
from app.jobs.repository import JobFilter, JobRepository, TurnRepository, position
from app.jobs.schemas import (
    AttemptRead,
    JobCreate,
    JobFinishedError,
    JobNotRetryableError,
    JobOptions,
    JobRead,
    RecalibrateOptions,
)
from app.models import JUDGING_KINDS, Dataset, Job, JobKind, JobState, Queue

_log = structlog.get_logger(__name__)


class JobService:
    """Jobs of one tenant, inside one unit of work."""

    def __init__(
        self,
        session: Session,
        tenant_id: UUID,
        wake_ups: WakeUps,
        *,
        quotas: Quotas | None = None,
    ) -> None:
        """Wake workers through `wake_ups`, once the unit of work is durable.

        Only with `quotas` can jobs be queued; who just looks needs none.
        """
        self._session = session
        self._tenant_id = tenant_id
        self._wake_ups = wake_ups
        self._quotas = quotas
        self._jobs = JobRepository(session, tenant_id)
        self._datasets = DatasetService(session, tenant_id)

    def submit_upload(
        self,
        dataset_id: UUID,
        upload: StoredUpload,
        *,
        name: str | None,
        options: JobOptions | None,
        columns: TableColumns | None = None,
        parent_id: str | None = None,
    ) -> Job:
        """Register an upload, to be taken in and, unless `options` is none, audited.

        With `parent_id` its samples are added to those of that data set, as its next version.

        Raises:
            NotFoundError: The tenant has no such data set.
            DatasetNotReadyError: It is not taken in yet, or could not be.
            NoImagesError: It is one of uploaded scores.
        """
        parent = None if parent_id is None else self._datasets.require_extensible(parent_id)
        dataset = self._datasets.create(
            dataset_id, upload, name=name, columns=columns, parent=parent
        )
        kind = JobKind.INGEST if options is None else JobKind.AUDIT
        return self._enqueue(dataset.id, kind, Queue.CPU, options)

    def submit_scores(self, dataset_id: UUID, upload: StoredUpload, *, name: str | None) -> Job:
        """Register uploaded probabilities, to be judged without any training."""
        dataset = self._datasets.create(dataset_id, upload, name=name)
        return self._enqueue(dataset.id, JobKind.SCORE, Queue.CPU, None)

    def submit_export(self, dataset: Dataset, options: InputModel) -> Job:
        """Have a data set written for another tool."""
        return self._enqueue(dataset.id, JobKind.EXPORT, Queue.CPU, options)

    def submit_recalibration(self, audit: Job) -> Job:
        """Have an audit's probabilities learn from decisions; one such job at a time."""
        waiting = self._jobs.unfinished(audit.dataset_id, JobKind.RECALIBRATE)
        for job in waiting:
            if job.options["job_id"] == str(audit.id):
                return job
        options = RecalibrateOptions(job_id=audit.id)
        return self._enqueue(audit.dataset_id, JobKind.RECALIBRATE, Queue.CPU, options)

    def submit_prediction(
        self, dataset_id: UUID, options: InputModel, *, job_id: UUID, input_bytes: int
    ) -> Job:
        """Have images of `input_bytes` shown to a model; the job has this id."""
        job = self._enqueue(dataset_id, JobKind.PREDICT, Queue.CPU, options, job_id=job_id)
        job.input_bytes = input_bytes
        return job

    def create(self, wanted: JobCreate) -> Job:
        """Start another audit of a data set.

        Raises:
            NotFoundError: The tenant has no such data set.
            DatasetNotReadyError: It is not taken in yet, or could not be.
            NoImagesError: It is one of uploaded scores.
        """
        dataset = self._datasets.find_ready(wanted.dataset_id)
        if dataset.image_size is None:
            raise NoImagesError("This data set holds scores, no images that could be trained on.")
        return self._enqueue(dataset.id, JobKind.AUDIT, Queue.GPU, wanted.options)

    def find(self, job_id: str) -> Job:
        """Return a row.

        Raises:
            NotFoundError: The tenant has no such job.
        """
        job = self._jobs.get(parse_uuid(job_id, "job"))
        if job is None:
            raise not_found("job")
        return job

    def read(self, job_id: str) -> JobRead:
        """Describe a job."""
        return self._describe([self.find(job_id)])[0]

    def attempts(self, job_id: str) -> Page[AttemptRead]:
        """Describe what was tried, oldest first; a job has few attempts.

        Raises:
            NotFoundError: The tenant has no such job.
        """
        rows = AttemptRepository(self._session).of_job(self._tenant_id, self.find(job_id).id)
        return Page(items=[AttemptRead.model_validate(row) for row in rows], next_cursor=None)

    def newest(
        self, page: PageRequest, *, state: JobState | None, dataset_id: str | None
    ) -> Page[JobRead]:
        """List jobs, newest first."""
        cursors = Cursors(CREATED_KEY, {"list": "jobs", "state": state, "dataset": dataset_id})

        def newest(*, after: tuple[datetime, UUID] | None, limit: int) -> Sequence[Job]:
            try:
                known_id = parse_uuid(dataset_id, "data set") if dataset_id is not None else None
            except NotFoundError:
                return []
            return self._jobs.newest(JobFilter(state, known_id), after=after, limit=limit)

        rows, cursor = paginate(page, cursors, newest, key=created_key)
        return Page(items=self._describe(rows), next_cursor=cursor)

    def latest(self, dataset_ids: Sequence[UUID]) -> dict[UUID, JobRead]:
        """Describe, by data set, the newest job that takes it in or judges it."""
        kinds = {JobKind.INGEST, *JUDGING_KINDS}
        rows = self._jobs.latest(dataset_ids, kinds, with_results=False)
        return {job.dataset_id: job for job in self._describe(rows)}

    def latest_audits(self, dataset_ids: Sequence[UUID]) -> dict[UUID, UUID]:
        """Return, by data set, the newest job whose findings can be read."""
        rows = self._jobs.latest(dataset_ids, JUDGING_KINDS, with_results=True)
        return {job.dataset_id: job.id for job in rows}

    def cancel(self, job_id: str) -> JobRead:
        """End a waiting job now, ask a running one to end.

        Raises:
            NotFoundError: The tenant has no such job.
            JobFinishedError: It ended already.
        """
        job = self._lock(job_id)
        if self._jobs.mark_cancelled(job):
            LeaseRepository(self._session).give_up_ingest(job.id)
        elif not self._jobs.request_cancel(job):
            raise JobFinishedError(f"The job is {job.state} already.", state=job.state)
        return self._describe([job])[0]

    def retry(self, job_id: str) -> JobRead:
        """Queue a failed or cancelled job again; it goes on from its last checkpoint.

        Raises:
            NotFoundError: The tenant has no such job.
            JobNotRetryableError: It is in another state.
        """
        job = self._lock(job_id)
        needs_ingest = self._datasets.reopen(job.dataset_id)
        queue = Queue.GPU if job.kind == JobKind.AUDIT and not needs_ingest else Queue.CPU
        self._require_quota(job.kind)
        if not self._jobs.mark_requeued(job, queue):
            raise JobNotRetryableError(
                f"The job is {job.state}; only a failed or cancelled one can be retried.",
                state=job.state,
            )
        self._wake(queue)
        return self._describe([job])[0]

    def _describe(self, jobs: Sequence[Job]) -> list[JobRead]:
        """Describe rows, with their places in the queues where they wait."""
        queues = {job.queue for job in jobs if job.state is JobState.QUEUED}
        places: dict[UUID, int] = {}
        for queue in queues:
            places |= self._places(queue)
        return [JobRead.of(job, places.get(job.id)) for job in jobs]

    def _places(self, queue: Queue) -> dict[UUID, int]:
        turns = TurnRepository(self._session)
        order = turns.waiting(self._tenant_id, queue)
        everybody = turns.turns(queue)
        return {
            job_id: position(everybody, self._tenant_id, num_before)
            for num_before, job_id in enumerate(order)
        }

    def _lock(self, job_id: str) -> Job:
        job = self._jobs.lock(parse_uuid(job_id, "job"))
        if job is None:
            raise not_found("job")
        return job

    def _enqueue(
        self,
        dataset_id: UUID,
        kind: JobKind,
        queue: Queue,
        options: InputModel | None,
        *,
        job_id: UUID | None = None,
    ) -> Job:
        self._require_quota(kind)
        now = utc_now()
        job = Job(
            id=job_id or uuid4(),
            tenant_id=self._tenant_id,
            dataset_id=dataset_id,
            kind=kind,
            queue=queue,
            state=JobState.QUEUED,
            stage="queued",
            options=options.model_dump(mode="json") if options is not None else {},
            created_at=now,
            queued_at=now,
        )
        self._jobs.add(job)
        _log.info("job_queued", job_id=str(job.id), kind=kind.value, queue=queue.value)
        self._wake(queue)
        return job

    def _require_quota(self, kind: JobKind) -> None:
        if self._quotas is None:
            raise RuntimeError("this JobService was made without quotas: it can only look")
        self._quotas.require_job(needs_gpu=kind is JobKind.AUDIT)

    def _wake(self, queue: Queue) -> None:
        after_commit(self._session, lambda: self._wake_ups.wake(queue.value))
