"""Data sets that were deleted, but too large to be gone within the request."""

import threading

import structlog

from app.core.blobs import open_blobs
from app.core.db import DATABASE_ERRORS, Database
from app.core.settings import Settings
from app.core.storage import DataFolder
from app.datasets.removal import DatasetRemoval
from app.datasets.removal_repository import find_unfinished

_SECONDS_BETWEEN = 10.0
_log = structlog.get_logger(__name__)


def finish_removals(database: Database, settings: Settings, stopping: threading.Event) -> None:
    """Remove what is left of all data sets that nobody sees any more."""
    folder = DataFolder(settings)
    with database.read() as session:
        unfinished = find_unfinished(session)
    for tenant_id, dataset_id in unfinished:
        blobs = open_blobs(settings, tenant_id)
        for _ in DatasetRemoval(database, folder, blobs, tenant_id).steps(dataset_id):
            if stopping.is_set():
                return
        _log.info("dataset_removed", tenant_id=str(tenant_id), dataset_id=str(dataset_id))


def keep_finishing_removals(
    database: Database, settings: Settings, stopping: threading.Event
) -> None:
    """Do so until `stopping`; what a database that is away interrupts is begun again."""
    while not stopping.wait(_SECONDS_BETWEEN):
        try:
            finish_removals(database, settings, stopping)
        except DATABASE_ERRORS as error:
            _log.warning("removal_failed", error=type(error).__name__)
