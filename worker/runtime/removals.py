"""Data sets that were deleted, but too large to be gone within the request."""

import threading
from uuid import UUID

import structlog

from app.core.background import log_failure
from app.core.blobs import open_blobs
from app.core.db import Database
from app.core.settings import Settings
from app.core.storage import DataFolder
from app.datasets.removal import DatasetRemoval
from app.datasets.removal_repository import find_unfinished

SECONDS_BETWEEN_REMOVALS = 10.0
_log = structlog.get_logger(__name__)


def finish_removals(database: Database, settings: Settings, stopping: threading.Event) -> None:
    """Remove what is left of all data sets that nobody sees any more."""
    with database.read() as session:
        unfinished = find_unfinished(session)
    for tenant_id, dataset_id in unfinished:
        try:
            is_done = _finish(database, settings, stopping, tenant_id, dataset_id)
        except Exception as error:  # noqa: BLE001 - it is begun again; others do not wait for it
            log_failure("removal", error, tenant_id=str(tenant_id), dataset_id=str(dataset_id))
            continue
        if not is_done:
            return
        _log.info("dataset_removed", tenant_id=str(tenant_id), dataset_id=str(dataset_id))


def _finish(
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
