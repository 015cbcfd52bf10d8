"""The query parameters and the `Link` header of every list."""

from typing import Annotated, TypeVar

from fastapi import Depends, Query, Request, Response

from app.core.pagination import DEFAULT_LIMIT, MAX_LIMIT, PageRequest
from app.core.schemas import Page

T = TypeVar("T")


class Paging:
    """One request for a part of a list, and its reply."""

    def __init__(
        self,
        request: Request,
        response: Response,
        limit: Annotated[int, Query(ge=1, le=MAX_LIMIT)] = DEFAULT_LIMIT,
        cursor: Annotated[str | None, Query(max_length=2000)] = None,
    ) -> None:
        """Take `limit` and `cursor` from the query."""
        self.wanted = PageRequest(limit=limit, cursor=cursor)
        self._request = request
        self._response = response

    def reply(self, page: Page[T]) -> Page[T]:
        """Add the RFC 8288 link to the next page, relative to this host."""
        if page.next_cursor is not None:
            following = self._request.url.include_query_params(cursor=page.next_cursor)
            target = f"{following.path}?{following.query}"
            self._response.headers["Link"] = f'<{target}>; rel="next"'
        return page


PagingDep = Annotated[Paging, Depends()]
