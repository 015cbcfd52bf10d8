"""Jobs on a database and a data folder of their own, run as a worker does, without a broker."""

import shutil
import threading
from pathlib import Path
from typing import Any
from uuid import UUID

from celery import Celery

from app.core.clock import utc_now
from app.core.db import Database, make_engine
from app.core.migrate import upgrade
from app.core.queue import WakeUps
from app.core.settings import Settings
from app.core.storage import DataFolder
from app.models import Dataset, DatasetState, Job, JobKind, JobState, Queue, Tenant
from worker.runtime.runner import JobRunner
from worker.runtime.slots import Slots
from worker.stages.choose import choose_stage


class PrivateJobs:
    """One tenant on SQLite; files lie below `folder`."""

    def __init__(self, folder: Path) -> None:
        """Make an empty database."""
        self.settings = Settings.model_validate({"data_dir": folder})
        upgrade(self.settings.resolved_database_url)
        self.database = Database(make_engine(self.settings.resolved_database_url))
        self.files = DataFolder(self.settings)
        with self.database.unit_of_work() as session:
            tenant = Tenant(name="benchmark")
            session.add(tenant)
            session.flush()
            self._tenant_id = tenant.id

    def add_upload(self, upload: Path) -> UUID:
        """Queue the ingest of an upload; return the id of its data set."""
        with self.database.unit_of_work() as session:
            dataset = Dataset(
                tenant_id=self._tenant_id, name=upload.stem, state=DatasetState.PENDING,
                upload_name=upload.name, upload_sha256="", upload_bytes=upload.stat().st_size,
            )  # fmt: skip
            session.add(dataset)
            session.flush()
        target = self.files.upload(dataset.id)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(upload, target)
        self.queue(dataset.id, JobKind.INGEST, {})
        return dataset.id

    def queue(self, dataset_id: UUID, kind: JobKind, options: dict[str, Any]) -> None:
        """Queue a short job."""
        with self.database.unit_of_work() as session:
            session.add(
                Job(
                    tenant_id=self._tenant_id,
                    dataset_id=dataset_id,
                    kind=kind,
                    queue=Queue.CPU,
                    state=JobState.QUEUED,
                    options=options,
                    queued_at=utc_now(),
                )
            )

    def run(self) -> None:
        """Run the next job to its end."""
        wake_ups = WakeUps(Celery(broker="memory://"))
        slots = Slots([None])
        runner = JobRunner(
            self.database, self.settings, wake_ups, threading.Event(), slots, choose_stage
        )
        if not runner.run_next(Queue.CPU):
            raise RuntimeError("no job was waiting")

    def dataset(self, dataset_id: UUID) -> Dataset:
        """Return the row of a data set.

        Raises:
            RuntimeError: It could not be taken in.
        """
        with self.database.read() as session:
            dataset = session.get_one(Dataset, dataset_id)
        if dataset.state is not DatasetState.READY:
            raise RuntimeError(f"the data set is {dataset.state}")
        return dataset
