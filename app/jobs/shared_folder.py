"""Whether a process sees the folders that the API puts uploads into.

A worker on another machine may have a folder of the same name that is not the same folder: each
job that it claimed would be lost for want of its files.
"""

from pathlib import Path

from app.core.db import Database
from app.core.storage import DataFolder
from app.jobs.repository import FolderRepository

_TEXT = b"Workers tell by this file that they see the folder of the service. Leave it here.\n"
NOT_SHARED = (
    "this is not the folder that the API puts uploads into: mount that one, or set "
    "LABELAUDIT_DATA_DIR and LABELAUDIT_STORE_URL to it"
)


class SharedFolder:
    """The mark in the data folder and, where that is elsewhere, in the folder of the store."""

    def __init__(self, database: Database, files: DataFolder) -> None:
        """Look into these folders for the mark of this database."""
        self._database = database
        self._files = files
        self._mark: str | None = None

    def mark(self) -> None:
        """Leave the mark where it is missing: for the API, which decides which folder it is."""
        with self._database.unit_of_work() as session:
            self._mark = FolderRepository(session).make_mark()
        for file in self._files.marks(self._mark):
            if not file.exists():
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_bytes(_TEXT)

    def unseen(self) -> Path | None:
        """Return the first folder that is not the API's; None where all are, or no API ever ran."""
        if self._mark is None:
            with self._database.read() as session:
                self._mark = FolderRepository(session).mark()
        if self._mark is None:
            return None
        return next(
            (file.parents[1] for file in self._files.marks(self._mark) if not file.exists()), None
        )
