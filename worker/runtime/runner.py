"""Claims the next job of a queue and sees one attempt at it through to its end."""

import os
import shutil
import socket
import threading
import time
from uuid import uuid4

import structlog

from app.core.db import DATABASE_ERRORS, Database
from app.core.durable import write_json
from app.core.queue import WakeUps
from app.core.settings import Settings
from app.core.storage import DataFolder
from app.datasets.intake_repository import IntakeRepository
from app.jobs.lease_repository import AttemptRepository, FencedError, LeaseRepository
from app.jobs.shared_folder import NOT_SHARED, SharedFolder
from app.models import JobState, Queue
from worker.processes.errors import CancelledError, ChildFailedError, ChildLostError, DrainedError
from worker.processes.spawn import ChildProcess, log_for_owner
from worker.runtime.claim import Attempt, Lease
from worker.runtime.endings import Ending, ending_of
from worker.runtime.slots import Slots
from worker.runtime.stage import ChooseStage, Stage, StageContext
from worker.runtime.supervise import Supervisor

_RETRY_SECONDS = 1.0
_TRIES_WHILE_DRAINING = 5
_log = structlog.get_logger(__name__)


class JobRunner:
    """Runs jobs, one in each slot at a time, until told to drain."""

    def __init__(
        self,
        database: Database,
        settings: Settings,
        wake_ups: WakeUps,
        draining: threading.Event,
        slots: Slots,
        choose_stage: ChooseStage,
    ) -> None:
        """Stop claiming, and give back what is running, once `draining` is set."""
        self._choose_stage = choose_stage
        self._database = database
        self._settings = settings
        self._wake_ups = wake_ups
        self._draining = draining
        self._slots = slots
        self._files = DataFolder(settings)
        self._shared = SharedFolder(database, self._files)

    def run_next(self, queue: Queue) -> bool:
        """Claim and run one job; return whether there was one."""
        if self._draining.is_set() or not self._shares_folders():
            return False
        attempt = self._claim(queue)
        if attempt is None:
            _log.info("nothing_to_claim", queue=queue.value)
            return False
        job_id, number = str(attempt.fence.job_id), attempt.fence.attempt
        log_ids = structlog.contextvars.bound_contextvars(job_id=job_id, attempt=number)
        with log_ids, self._slots.take() as device:
            self._run(attempt, device)
        return True

    def _shares_folders(self) -> bool:
        unseen = self._shared.unseen()
        if unseen is not None:
            _log.error("folder_not_shared", folder=str(unseen), hint=NOT_SHARED)
        return unseen is None

    def _claim(self, queue: Queue) -> Attempt | None:
        owner = f"{socket.gethostname()}:{os.getpid()}:{uuid4().hex[:8]}"
        with self._database.unit_of_work() as session:
            leases = LeaseRepository(session)
            job = leases.claim_next(
                queue,
                owner=owner,
                lease_seconds=self._settings.lease_seconds,
                max_running=self._settings.max_tenant_running_jobs,
            )
            if job is None:
                return None
            leases.add_event(job.id, "state", {"state": "running", "attempt": job.attempt})
            return Attempt.of(job)

    def _run(self, attempt: Attempt, device: str | None) -> None:
        """Run one stage; whatever happens, the row says what becomes of the job."""
        lease = Lease(self._database, self._settings, attempt.fence)
        try:
            self._run_stage(self._stage(attempt), attempt, lease, device)
        except FencedError:
            _log.warning("fenced", detail="another worker has this job now")
        except Exception as error:  # noqa: BLE001 - a bug of ours is a lost attempt too
            self._log_end(error)
            ending = ending_of(
                error,
                attempt,
                max_attempts=self._settings.max_attempts,
                reads_upload=attempt.queue is Queue.CPU,
            )
            if self._settle(lease, ending) is JobState.QUEUED:
                self._wake_ups.wake(attempt.queue)

    def _run_stage(self, stage: Stage, attempt: Attempt, lease: Lease, device: str | None) -> None:
        folder = self._files.attempt(attempt.fence.job_id, attempt.fence.attempt, stage.name)
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        with lease.transaction() as session:
            LeaseRepository(session).start_stage(attempt.fence, stage.name)
        with lease.kept():
            stage.prepare(folder, lease)
            write_json(folder / "spec.json", stage.spec(folder))
        lease.require_wanted()
        child = ChildProcess(stage.module, folder / "spec.json", device=device)
        _log.info("started", stage=stage.name, child_pid=child.pid, device=device)
        try:
            Supervisor(lease, self._draining, stage.translate).watch(child)
        except ChildFailedError:
            with lease.kept():
                stage.publish_failure(folder, lease)
            raise
        finally:
            self._keep_log(attempt, child)
        with lease.kept():
            stage.publish(folder, lease)
        _log.info("published", stage=stage.name)
        next_queue = stage.finished()
        if next_queue is not None:
            self._wake_ups.wake(next_queue)

    def _keep_log(self, attempt: Attempt, child: ChildProcess) -> None:
        """Keep the child's last words for the job's owner; without a database they are lost."""
        log = log_for_owner(child.log_file)
        if not log:
            return
        try:
            with self._database.unit_of_work() as session:
                attempts = AttemptRepository(session)
                attempts.keep_log(attempt.fence.job_id, attempt.fence.owner, log)
        except DATABASE_ERRORS as error:
            _log.warning("log_not_kept", error=type(error).__name__)

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
        return self._choose_stage(context, dataset)

    def _settle(self, lease: Lease, ending: Ending) -> JobState | None:
        """Write the end of the attempt; while the database is away, try until the lease is over.

        Returns:
            The job's new state; None where that is left to the sweeper or to a new owner.
        """
        num_tries = 0
        while True:
            try:
                with self._database.unit_of_work() as session:
                    return ending(LeaseRepository(session))
            except FencedError:
                _log.warning("fenced", detail="another worker has this job now")
                return None
            except DATABASE_ERRORS as error:
                num_tries += 1
                hurries = self._draining.is_set() and num_tries > _TRIES_WHILE_DRAINING
                if lease.nearly_over or hurries:
                    _log.warning("end_not_written", error=type(error).__name__)
                    return None
            time.sleep(_RETRY_SECONDS)

    @staticmethod
    def _log_end(error: Exception) -> None:
        match error:
            case CancelledError() | DrainedError():
                _log.info("ended", why=type(error).__name__)
            case ChildFailedError() | ChildLostError():
                _log.warning("ended", why=type(error).__name__, detail=str(error))
            case _:
                _log.error("ended", why=type(error).__name__, exc_info=error)
