"""The process that heals what got lost: leases of dead workers, wake-ups of dead brokers."""

import shutil
import signal
import threading
import time
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from pathlib import Path
from uuid import UUID

import structlog
from sqlalchemy.orm import Session

from app.accounts.repository import TenantRepository, remove_keys_before
from app.accounts.secrets import load_pepper
from app.core.background import BackgroundLoop, log_failure
from app.core.blobs import open_blobs
from app.core.bulk import ROWS_PER_TRANSACTION
from app.core.clock import utc_now
from app.core.db import Database, make_engine
from app.core.logging import configure_logging
from app.core.queue import WakeUps, make_celery
from app.core.settings import Settings
from app.core.storage import DataFolder
from app.datasets.removal import DatasetRemoval, collect_garbage
from app.datasets.removal_repository import find_unfinished
from app.findings.publish_repository import remove_superseded_before
from app.findings.repository import SUPERSEDED_KEPT
from app.jobs.lease_repository import AttemptRepository, Fence, LeaseRepository
from app.models import AttemptOutcome, Job, JobState, Queue
from app.uploads.repository import UploadSweep
from worker.processes.spawn import CHILD_LOG, log_for_owner
from worker.runtime.endings import record_loss
from worker.runtime.sharing import require_shared_folders
from worker.runtime.webhook_post import PATIENCE_SECONDS
from worker.runtime.webhooks import Deliverer

_STALE_UPLOAD_SECONDS = 24 * 3600
_KEYS_KEPT = timedelta(days=2)
_UPLOAD_SWEEP_SECONDS = 300.0
_REMOVAL_SECONDS = 10.0
_GARBAGE_SECONDS = 24 * 3600.0
_UUID_PATTERN = "-".join("?" * length for length in (8, 4, 4, 4, 12))
_log = structlog.get_logger(__name__)


@dataclass(slots=True)
class _Pace:
    """When a queue is woken next: soon while jobs are new, ever more rarely behind a long one."""

    num_waiting: int = 0
    pause: float = 0.0
    next_at: float = field(default=0.0)


class Sweeper:
    """Looks at all jobs every few seconds. Any number may run: each step is conditional."""

    def __init__(self, database: Database, settings: Settings, wake_ups: WakeUps) -> None:
        """Sweep the jobs of this database."""
        self._database = database
        self._settings = settings
        self._files = DataFolder(settings)
        self._wake_ups = wake_ups
        self._paces = {queue: _Pace() for queue in Queue}

    def end_expired_leases(self) -> None:
        """Requeue, cancel or fail the jobs whose worker has gone silent."""
        with self._database.unit_of_work() as session:
            for job in LeaseRepository(session).expired():
                fence = Fence(job.id, job.attempt, job.owner or "")
                try:
                    with session.begin_nested():
                        self._end_lease(session, fence, job)
                except Exception as error:  # noqa: BLE001 - the other jobs' leases end all the same
                    log_failure("lease", error, job_id=str(fence.job_id))

    def _end_lease(self, session: Session, fence: Fence, job: Job) -> None:
        leases = LeaseRepository(session)
        _log.warning("lease_expired", job_id=str(job.id), attempt=job.attempt)
        self._keep_log(session, job)
        if job.cancel_requested:
            leases.finish(fence, JobState.CANCELLED)
            return
        record_loss(
            leases,
            fence,
            queue=job.queue,
            num_lost_before=job.lost_attempts,
            max_attempts=self._settings.max_attempts,
            outcome=AttemptOutcome.EXPIRED,
            reason="its worker went silent",
        )

    def _keep_log(self, session: Session, job: Job) -> None:
        """Save what the child of a dead worker said last."""
        folders = self._files.job(job.id).glob(f"attempt-{job.attempt}-*")
        log = "".join(log_for_owner(folder / CHILD_LOG) for folder in folders)
        if log:
            AttemptRepository(session).keep_log(job.id, job.owner or "", log)

    def wake_idle_slots(self, now: float | None = None) -> None:
        """Send a wake-up for each queue that has jobs waiting, backing off while nothing moves."""
        now = time.monotonic() if now is None else now
        with self._database.read() as session:
            waiting = LeaseRepository(session).count_queued()
        for queue, pace in self._paces.items():
            count = waiting.get(queue, 0)
            if count > pace.num_waiting or count == 0:
                pace.pause = self._settings.sweep_seconds
                pace.next_at = now + pace.pause
            elif now >= pace.next_at:
                self._wake_ups.wake(queue)
                pace.pause = min(2 * pace.pause, self._settings.resend_max_seconds)
                pace.next_at = now + pace.pause
            pace.num_waiting = count


def remove_stale_uploads(incoming: Path, *, now: float) -> None:
    """Remove parts of uploads that nobody has written to for a day."""
    for part in incoming.glob("*.part"):
        if now - part.stat().st_mtime <= _STALE_UPLOAD_SECONDS:
            continue
        if part.is_dir():  # of images for a prediction
            shutil.rmtree(part, ignore_errors=True)
        else:
            part.unlink(missing_ok=True)


def remove_expired_uploads(database: Database, files: DataFolder) -> None:
    """Remove resumable uploads whose time is over, and parts that no upload needs any more."""
    with database.unit_of_work() as session:
        for upload_id in UploadSweep(session).remove_expired(utc_now()):
            _log.info("upload_expired", upload_id=str(upload_id))
    parts = {UUID(path.stem): path for path in files.parts.glob(f"{_UUID_PATTERN}.part")}
    with database.read() as session:
        waiting = UploadSweep(session).waiting(list(parts))
    for upload_id in parts.keys() - waiting:
        parts[upload_id].unlink(missing_ok=True)


def remove_garbage(database: Database, settings: Settings) -> None:
    """Remove the blobs that no row points to, of all tenants whose jobs are done."""
    with database.read() as session:
        tenant_ids = TenantRepository(session).ids()
    for tenant_id in tenant_ids:
        try:
            blobs = open_blobs(settings, tenant_id)
            num_removed = collect_garbage(database, blobs, tenant_id)
        except Exception as error:  # noqa: BLE001 - the store may be away; other tenants' need not
            log_failure("garbage", error, tenant_id=str(tenant_id))
            continue
        if num_removed:
            _log.info("garbage_removed", tenant_id=str(tenant_id), num_blobs=num_removed)


def remove_finished_job_folders(database: Database, files: DataFolder) -> None:
    """Remove what jobs that succeeded left behind when their worker died at the last step."""
    folders = {UUID(path.name): path for path in (files.root / "jobs").glob(_UUID_PATTERN)}
    with database.read() as session:
        kept = LeaseRepository(session).keep_files_of(list(folders))
    for job_id in folders.keys() - kept:
        shutil.rmtree(folders[job_id], ignore_errors=True)


def remove_old_idempotency_keys(database: Database) -> None:
    """Forget requests that nobody repeats any more."""
    with database.unit_of_work() as session:
        remove_keys_before(session, utc_now() - _KEYS_KEPT)


def remove_superseded_results(database: Database) -> None:
    """Remove results that no cursor reads any more, in steps that keep nobody waiting long."""
    moment = utc_now() - 2 * SUPERSEDED_KEPT  # a walk that just went on may end its page
    while True:
        with database.unit_of_work() as session:
            if not remove_superseded_before(session, moment, limit=ROWS_PER_TRANSACTION):
                return


def _remove_what_is_old(database: Database, settings: Settings) -> None:
    remove_superseded_results(database)
    remove_old_idempotency_keys(database)
    remove_garbage(database, settings)


def _remove_leftovers(database: Database, settings: Settings) -> None:
    """Remove what processes that died left behind."""
    files = DataFolder(settings)
    remove_stale_uploads(files.incoming, now=time.time())
    remove_finished_job_folders(database, files)
    remove_expired_uploads(database, files)
    remove_old_idempotency_keys(database)


def _loops(
    database: Database, settings: Settings, stopping: threading.Event
) -> list[BackgroundLoop]:
    """Return what goes on beside the sweeps: no dead worker's job waits for a large store."""
    old = partial(_remove_what_is_old, database, settings)
    removals = partial(finish_removals, database, settings, stopping)
    uploads = partial(remove_expired_uploads, database, DataFolder(settings))
    return [
        BackgroundLoop("garbage", old, seconds=_GARBAGE_SECONDS),
        BackgroundLoop("removals", removals, seconds=_REMOVAL_SECONDS),
        BackgroundLoop("uploads", uploads, seconds=_UPLOAD_SWEEP_SECONDS),
    ]


def run() -> None:
    """Sweep until SIGTERM."""
    settings = Settings()
    configure_logging(settings)
    database = Database(make_engine(settings.resolved_database_url))
    require_shared_folders(database, DataFolder(settings))
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda _number, _frame: stopping.set())
    leftovers = partial(_remove_leftovers, database, settings)
    BackgroundLoop("leftovers", leftovers, seconds=0).do_once()
    deliverer = Deliverer(database, settings, load_pepper(settings), stopping)
    deliverer.start()
    sweeper = Sweeper(database, settings, WakeUps(make_celery(settings)))
    for loop in _loops(database, settings, stopping):
        loop.start(stopping)
    seconds = settings.sweep_seconds
    BackgroundLoop("leases", sweeper.end_expired_leases, seconds=seconds).start(stopping)
    BackgroundLoop("wake-ups", sweeper.wake_idle_slots, seconds=seconds).run(stopping)
    deliverer.wait(PATIENCE_SECONDS + 5)
    database.dispose()


def finish_removals(database: Database, settings: Settings, stopping: threading.Event) -> None:
    """Remove what is left of all data sets that nobody sees any more."""
    with database.read() as session:
        unfinished = find_unfinished(session)
    for tenant_id, dataset_id in unfinished:
        try:
            is_done = _finish_removal(database, settings, stopping, tenant_id, dataset_id)
        except Exception as error:  # noqa: BLE001 - it is begun again; others do not wait for it
            log_failure("removal", error, tenant_id=str(tenant_id), dataset_id=str(dataset_id))
            continue
        if not is_done:
            return
        _log.info("dataset_removed", tenant_id=str(tenant_id), dataset_id=str(dataset_id))


def _finish_removal(
    database: Database,
    settings: Settings,
    stopping: threading.Event,
    tenant_id: UUID,
    dataset_id: UUID,
) -> bool:
    """Remove one data set; return whether all of it is gone, which it is not if `stopping`."""
    folder = DataFolder(settings)
    blobs = open_blobs(settings, tenant_id)
    removal = DatasetRemoval(database, folder, blobs, tenant_id)
    return not any(stopping.is_set() for _ in removal.steps(dataset_id))
