"""Deleting a data set: its rows first, then the files that only it needed."""

import shutil
from collections.abc import Sequence
from contextlib import suppress
from uuid import UUID

from app.core.blobs import Blobs
from app.core.db import Database
from app.core.errors import StoreUnavailableError
from app.core.ids import not_found, parse_uuid
from app.core.storage import DataFolder
from app.datasets.errors import DatasetBusyError
from app.datasets.garbage import remove_unused
from app.datasets.repository import BlobRepository, DatasetRepository

_BATCH = 2000


class DatasetRemoval:
    """Several short units of work: a large data set must not hold up the workers' heartbeats."""

    def __init__(
        self, database: Database, folder: DataFolder, blobs: Blobs, tenant_id: UUID
    ) -> None:
        """Work for one tenant, whose store is `blobs`."""
        self._blobs = blobs
        self._database = database
        self._folder = folder
        self._tenant_id = tenant_id

    def remove(self, dataset_id: str) -> None:
        """Delete a data set.

        Raises:
            NotFoundError: The tenant has no such data set.
            DatasetBusyError: One of its jobs waits or runs.
        """
        known_id = parse_uuid(dataset_id, "data set")
        job_ids = self._remove_rows(known_id)
        self._folder.upload(known_id).unlink(missing_ok=True)
        for path in (self._folder.dataset_cache(known_id), *map(self._folder.job, job_ids)):
            shutil.rmtree(path, ignore_errors=True)
        # Where the store is away, the garbage collection does this later.
        with suppress(StoreUnavailableError):
            self._remove_unused_blobs()

    def _remove_rows(self, dataset_id: UUID) -> Sequence[UUID]:
        with self._database.unit_of_work() as session:
            datasets = DatasetRepository(session, self._tenant_id)
            if datasets.lock(dataset_id) is None:
                raise not_found("data set")
            if datasets.is_busy(dataset_id):
                raise DatasetBusyError("A job of this data set is queued or running.")
            job_ids = datasets.job_ids(dataset_id)
            datasets.remove(dataset_id)
        return job_ids

    def _remove_unused_blobs(self) -> None:
        """Remove what no row points to, also what an earlier removal had to leave."""
        after: str | None = ""
        while after is not None:
            after = self._remove_some_blobs(after)

    def _remove_some_blobs(self, after: str) -> str | None:
        with self._database.unit_of_work() as session:
            names = BlobRepository(session, self._tenant_id).names(after=after, limit=_BATCH)
            unused = remove_unused(session, self._blobs, self._tenant_id, names)
        return names[-1] if names and unused is not None else None
