"""What the runner needs to know of a stage: its child, its news, and how its results get in."""

import shutil
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, ClassVar

from sqlalchemy.orm import Session

from app.accounts.quotas import Quotas
from app.accounts.schemas import QuotaExceededError
from app.core.blobs import Blobs, open_blobs
from app.core.db import Database
from app.core.settings import Settings
from app.core.storage import DataFolder
from app.datasets.intake_repository import IntakeRepository
from app.models import Dataset, Queue
from worker.processes.errors import ChildFailedError
from worker.processes.spawn import Event
from worker.runtime.claim import Attempt, Lease, RowUpdate

INGEST_SHARE = 0.1
"""Part of an audit's progress that reading the data set takes."""


@dataclass(frozen=True, slots=True)
class StageContext:
    """One attempt at one stage."""

    attempt: Attempt
    database: Database
    files: DataFolder
    limits: dict[str, Any]
    settings: Settings

    @property
    def blobs(self) -> Blobs:
        """The tenant's store, waited for where it is away: the work that led here took long."""
        patience = timedelta(seconds=self.settings.store_patience_seconds)
        tenant_id = self.attempt.tenant_id
        return open_blobs(self.settings, tenant_id, patience=patience)

    def require_room(self, num_samples: int) -> None:
        """Make sure that the tenant may have so many samples more.

        Raises:
            ChildFailedError: It may not.
        """
        with self.database.unit_of_work() as session:
            try:
                Quotas(session, self.attempt.tenant_id, self.settings).require_samples(num_samples)
            except QuotaExceededError as error:
                raise ChildFailedError(error.code, error.detail) from error


class Stage(ABC):
    """One supervised child and what becomes of its output."""

    name: ClassVar[str]
    module: ClassVar[str]

    def __init__(self, context: StageContext) -> None:
        """Work for one attempt."""
        self._context = context
        self._attempt = context.attempt

    def prepare(self, folder: Path, lease: Lease) -> None:  # noqa: B027 - most have nothing to do
        """Put input files into `folder`, also such as take long: the lease is kept meanwhile.

        Raises:
            CancelledError: The user does not want the job any more.
        """

    @abstractmethod
    def spec(self, folder: Path) -> dict[str, Any]:
        """Return what the child is told; input files may be put into `folder`."""

    @abstractmethod
    def translate(self, event: Event) -> RowUpdate:
        """Turn an event of the child into news for the job row."""

    def publish_failure(self, folder: Path, lease: Lease) -> None:  # noqa: B027 - as above
        """Store what a child that failed leaves for the user, in fenced transactions."""

    @abstractmethod
    def publish(self, folder: Path, lease: Lease) -> None:
        """Store the child's output and end the claim, in fenced transactions."""

    def finished(self) -> Queue | None:
        """Remove the files that nothing needs once the results are published.

        Returns:
            The queue in which the job goes on, None where this stage was its last.
        """
        job_folder = self._context.files.job(self._attempt.fence.job_id)
        shutil.rmtree(job_folder, ignore_errors=True)
        return None

    def _intake(self, session: Session) -> IntakeRepository:
        return IntakeRepository(session, self._attempt.tenant_id, self._attempt.dataset_id)


ChooseStage = Callable[[StageContext, Dataset], Stage]
"""Tells at which stage an attempt is that works on a data set."""
