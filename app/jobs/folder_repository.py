"""The mark of this service's folders. System-wide: all tenants' files lie in them."""

from typing import cast
from uuid import uuid4

from sqlalchemy import Table
from sqlalchemy.orm import Session

from app.core.bulk import as_columns, insert_missing
from app.models import FolderMark

_SERVICE = "labelaudit"


class FolderRepository:
    """The one mark."""

    def __init__(self, session: Session) -> None:
        """Work inside the caller's unit of work."""
        self._session = session

    def mark(self) -> str | None:
        """Return the mark; None until an API process has made one."""
        row = self._session.get(FolderMark, _SERVICE)
        return None if row is None else row.mark

    def make_mark(self) -> str:
        """Return the mark that all API processes agree on."""
        row = {"service": _SERVICE, "mark": uuid4().hex}
        insert_missing(self._session, cast("Table", FolderMark.__table__), as_columns([row]))
        return self._session.get_one(FolderMark, _SERVICE).mark
