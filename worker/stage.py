"""What the runner needs to know of a stage: its child, its news, and how its results get in."""

from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, Protocol

from app.accounts.errors import QuotaExceededError
from app.accounts.quota_service import Quotas
from app.core.blobs import Blobs, open_blobs
from app.core.db import Database
from app.core.settings import Settings
from app.core.storage import DataFolder
from worker.attempt import Attempt
from worker.errors import ChildFailedError
from worker.process import Event
from worker.supervisor import Lease, RowUpdate

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


class Stage(Protocol):
    """One supervised child and what becomes of its output."""

    name: str
    module: str

    def prepare(self, folder: Path, lease: Lease) -> None:  # noqa: ARG002 - most have none
        """Put input files into `folder`, also such as take long: the lease is kept meanwhile.

        Raises:
            CancelledError: The user does not want the job any more.
        """
        return

    def spec(self, folder: Path) -> dict[str, Any]:
        """Return what the child is told; input files may be put into `folder`."""

    def translate(self, event: Event) -> RowUpdate:
        """Turn an event of the child into news for the job row."""

    def publish_failure(self, folder: Path, lease: Lease) -> None:  # noqa: ARG002 - most have none
        """Store what a child that failed leaves for the user, in fenced transactions."""
        return

    def publish(self, folder: Path, lease: Lease) -> None:
        """Store the child's output and end the claim, in fenced transactions."""
