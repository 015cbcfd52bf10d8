"""Claims the next job of a queue and sees one attempt at it through to its end."""

import errno
import os
import shutil
import socket
import threading
from uuid import uuid4

import structlog

from app.core.db import Database
from app.core.durable import write_json
from app.core.queue import WakeUps
from app.core.settings import Settings
from app.core.storage import DataFolder
from app.datasets.intake_repository import IntakeRepository
from app.jobs.lease_repository import FencedError, LeaseRepository
from app.models import DatasetState, JobKind, JobState, Queue
from worker.attempt import Attempt
from worker.errors import CancelledError, ChildFailedError, ChildLostError, DrainedError
from worker.ingest_stage import IngestStage
from worker.lost_attempts import record_loss
from worker.process import ChildProcess
from worker.score_stage import ScoreStage
from worker.stage import Stage, StageContext
from worker.supervisor import Lease, Supervisor
from worker.train_stage import TrainStage

_log = structlog.get_logger(__name__)


class JobRunner:
    """Runs jobs, one at a time, until told to drain."""

    def __init__(
        self, database: Database, settings: Settings, wake_ups: WakeUps, draining: threading.Event
    ) -> None:
        """Stop claiming, and give back what is running, once `draining` is set."""
        self._database = database
        self._settings = settings
        self._wake_ups = wake_ups
        self._draining = draining
        self._files = DataFolder(settings.data_dir)

    def run_next(self, queue: Queue) -> bool:
        """Claim and run one job; return whether there was one."""
        if self._draining.is_set():
            return False
        attempt = self._claim(queue)
        if attempt is None:
            return False
        job_id, number = str(attempt.fence.job_id), attempt.fence.attempt
        with structlog.contextvars.bound_contextvars(job_id=job_id, attempt=number):
            self._run(attempt)
        return True

    def _claim(self, queue: Queue) -> Attempt | None:
        owner = f"{socket.gethostname()}:{os.getpid()}:{uuid4().hex[:8]}"
        with self._database.unit_of_work() as session:
            leases = LeaseRepository(session)
            job = leases.claim_next(queue, owner=owner, lease_seconds=self._settings.lease_seconds)
            if job is None:
                return None
            leases.add_event(job.id, "state", {"state": "running", "attempt": job.attempt})
            return Attempt.of(job)

    def _run(self, attempt: Attempt) -> None:
        """Run one stage; whatever happens, the row says what becomes of the job."""
        lease = Lease(self._database, self._settings, attempt.fence)
        try:
            self._run_stage(attempt, lease)
        except FencedError:
            _log.warning("fenced", detail="another worker has this job now")
        except CancelledError:
            self._end(lease, JobState.CANCELLED)
        except ChildFailedError as error:
            self._end(lease, JobState.FAILED, error.code, error.detail)
        except DrainedError:
            self._give_back(attempt)
        except ChildLostError as error:
            self._lose(attempt, str(error))
        except OSError as error:
            self._fail_on_os_error(attempt, lease, error)

    def _run_stage(self, attempt: Attempt, lease: Lease) -> None:
        stage = self._stage(attempt)
        folder = self._files.attempt(attempt.fence.job_id, attempt.fence.attempt, stage.name)
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        write_json(folder / "spec.json", stage.spec(folder))
        with self._database.unit_of_work() as session:
            LeaseRepository(session).write(attempt.fence, stage=stage.name)
        child = ChildProcess(stage.module, folder / "spec.json")
        _log.info("started", stage=stage.name, child_pid=child.pid)
        Supervisor(lease, self._draining, stage.translate).watch(child)
        stage.publish(folder, lease)
        _log.info("published", stage=stage.name)
        if stage.name == IngestStage.name:
            shutil.rmtree(folder, ignore_errors=True)
            self._wake_ups.wake(Queue.GPU)
        else:
            shutil.rmtree(self._files.job(attempt.fence.job_id), ignore_errors=True)

    def _stage(self, attempt: Attempt) -> Stage:
        with self._database.read() as session:
            dataset = IntakeRepository(session, attempt.tenant_id, attempt.dataset_id).get()
        context = StageContext(
            attempt=attempt,
            database=self._database,
            files=self._files,
            settings=self._settings,
            limits=self._settings.model_dump(
                include={"max_files", "max_file_bytes", "max_unpacked_bytes", "max_image_pixels"}
            ),
        )
        if attempt.kind is JobKind.SCORE:
            return ScoreStage(context)
        if dataset.state is DatasetState.READY:
            return TrainStage(context)
        return IngestStage(context, dataset.columns or {})

    def _end(
        self, lease: Lease, state: JobState, code: str | None = None, detail: str | None = None
    ) -> None:
        _log.info("ended", state=state.value, code=code, detail=detail)
        with self._database.unit_of_work() as session:
            LeaseRepository(session).finish(
                lease.fence, state, error_code=code, error_detail=detail
            )

    def _give_back(self, attempt: Attempt) -> None:
        _log.info("given_back")
        with self._database.unit_of_work() as session:
            LeaseRepository(session).requeue(attempt.fence, queue=attempt.queue, handed_over=False)

    def _lose(self, attempt: Attempt, reason: str) -> None:
        _log.warning("child_lost", reason=reason)
        with self._database.unit_of_work() as session:
            state = record_loss(
                LeaseRepository(session),
                attempt.fence,
                queue=attempt.queue,
                num_lost_before=attempt.lost_attempts,
                max_attempts=self._settings.max_attempts,
                reason=reason,
            )
        if state is JobState.QUEUED:
            self._wake_ups.wake(attempt.queue)

    def _fail_on_os_error(self, attempt: Attempt, lease: Lease, error: OSError) -> None:
        if error.errno == errno.ENOSPC:
            self._end(lease, JobState.FAILED, "no_space", "the data volume is full")
        else:
            _log.exception("os_error")
            self._lose(attempt, f"{type(error).__name__}: {error.strerror}")
