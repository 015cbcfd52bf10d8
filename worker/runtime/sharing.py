"""What a process of the service must share with the API before it begins."""

import sys

import structlog
from sqlalchemy.exc import DBAPIError

from app.core.db import Database
from app.core.storage import DataFolder
from app.jobs.shared_folder import NOT_SHARED, SharedFolder

_log = structlog.get_logger(__name__)


def require_shared_folders(database: Database, files: DataFolder) -> None:
    """End this process unless it sees the folders that the API puts uploads into.

    It would take jobs away from workers that see their files.
    """
    try:
        unseen = SharedFolder(database, files).unseen()
    except DBAPIError as error:  # each claim asks again
        _log.warning("folder_not_checked", error=type(error).__name__)
        return
    if unseen is not None:
        sys.exit(f"error: {unseen}: {NOT_SHARED} (folder_not_shared)")
