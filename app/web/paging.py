"""Where a list on a page begins: cursors in addresses are signed as those of the API are."""

from typing import Annotated

from fastapi import Depends, Query

from app.core.pagination import PageRequest
from app.http.deps import ContextDep
from app.http.pagination import CursorSeal
from app.web.access import PageReader


class PageCursor:
    """One request for a part of a list."""

    def __init__(
        self,
        caller: PageReader,
        context: ContextDep,
        cursor: Annotated[str | None, Query(max_length=2000)] = None,
    ) -> None:
        """Take `cursor` from the address.

        Raises:
            InvalidCursorError: It was not signed here, for this tenant.
        """
        self._seal = CursorSeal(context.pepper, caller.tenant_id)
        self._after = None if cursor is None else self._seal.open(cursor)
        self.text = cursor
        """As it is in the address; none on the first page."""

    def wanted(self, limit: int) -> PageRequest:
        """Return what to ask a slice for."""
        return PageRequest(limit=limit, cursor=self._after)

    def following(self, cursor: str | None) -> str | None:
        """Return the cursor of the next page for an address, if there is one."""
        return None if cursor is None else self._seal.sign(cursor)


CursorDep = Annotated[PageCursor, Depends()]
