"""Deleting a data set: hidden first, then its rows and the files that only it needed."""

import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from typing import TypeVar
from uuid import UUID

from sqlalchemy.orm import Session

from app.core.blobs import Blobs
from app.core.bulk import batches
from app.core.db import Database
from app.core.errors import StoreUnavailableError
from app.core.ids import not_found, parse_uuid
from app.core.storage import DataFolder
from app.datasets.removal_repository import RemovalRepository
from app.datasets.repository import BlobRepository, DatasetRepository
from app.datasets.schemas import DatasetBusyError

_BLOBS_AT_ONCE = 200
"""Small, since new jobs of the tenant wait meanwhile."""


def collect_garbage(database: Database, blobs: Blobs, tenant_id: UUID) -> int:
    """Remove the blobs of a tenant that nothing needs; return how many.

    Ends early where a job waits or runs: it may have put blobs that it does not point to yet.
    """
    num_removed = 0
    with database.unit_of_work() as session:
        if not BlobRepository(session, tenant_id).lock_against_new_jobs():
            return 0
        blobs.tidy()
    for names in batches(blobs.names(), _BLOBS_AT_ONCE):
        with database.unit_of_work() as session:
            unused = remove_unused(session, blobs, tenant_id, names)
        if unused is None:
            break
        num_removed += len(unused)
    return num_removed


def remove_unused(
    session: Session, blobs: Blobs, tenant_id: UUID, names: Sequence[str]
) -> Sequence[str] | None:
    """Remove those of these blobs that no row points to; None where a job may be about to."""
    rows = BlobRepository(session, tenant_id)
    if not rows.lock_against_new_jobs():
        return None
    unused = sorted(set(names) - rows.in_use(names))
    # Files before rows: if this is cut short, a row without its file is harmless, since putting
    # the same bytes again looks for the file.
    blobs.remove(unused)
    rows.forget(unused)
    return unused


_SECONDS_IN_A_REQUEST = 2.0
_BATCH = 2000
_T = TypeVar("_T")


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
        """Delete a data set: it is out of sight at once, and gone if that takes few seconds.

        Else the sweeper does the rest.

        Raises:
            NotFoundError: The tenant has no such data set.
            DatasetBusyError: One of its jobs waits or runs.
        """
        known_id = parse_uuid(dataset_id, "data set")
        with self._database.unit_of_work() as session:
            datasets = DatasetRepository(session, self._tenant_id)
            if datasets.lock(known_id) is None:
                raise not_found("data set")
            if datasets.is_busy(known_id):
                raise DatasetBusyError("A job of this data set is queued or running.")
            RemovalRepository(session, self._tenant_id, known_id).hide()
        deadline = time.monotonic() + _SECONDS_IN_A_REQUEST
        for _ in self.steps(known_id):
            if time.monotonic() > deadline:
                break

    def steps(self, dataset_id: UUID) -> Iterator[None]:
        """Remove what is left of a hidden data set, one bounded piece a step.

        Its own row goes last: whatever ends this, it can be begun again.
        """
        while self._do(dataset_id, lambda rows: rows.remove_some(_BATCH)):
            yield
        with self._database.read() as session:
            job_ids = RemovalRepository(session, self._tenant_id, dataset_id).job_ids()
        self._folder.upload(dataset_id).unlink(missing_ok=True)
        for path in (self._folder.dataset_cache(dataset_id), *map(self._folder.job, job_ids)):
            shutil.rmtree(path, ignore_errors=True)
        while self._do(dataset_id, lambda rows: rows.remove_some_jobs()):
            yield
        # Where the store is away, the garbage collection does this later.
        with suppress(StoreUnavailableError):
            yield from self._remove_unused_blobs()
        self._do(dataset_id, lambda rows: rows.remove())

    def _do(self, dataset_id: UUID, work: Callable[[RemovalRepository], _T]) -> _T:
        with self._database.unit_of_work() as session:
            return work(RemovalRepository(session, self._tenant_id, dataset_id))

    def _remove_unused_blobs(self) -> Iterator[None]:
        """Remove what no row points to, also what an earlier removal had to leave."""
        after: str | None = ""
        while after is not None:
            after = self._remove_some_blobs(after)
            yield

    def _remove_some_blobs(self, after: str) -> str | None:
        with self._database.unit_of_work() as session:
            names = BlobRepository(session, self._tenant_id).names(after=after, limit=_BATCH)
            unused = remove_unused(session, self._blobs, self._tenant_id, names)
        return names[-1] if names and unused is not None else None
