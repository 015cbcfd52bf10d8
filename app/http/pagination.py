"""The query parameters and the `Link` header of every list, and cursors that cannot be forged."""

import base64
import hashlib
import hmac
from typing import Annotated, TypeVar
from uuid import UUID

from fastapi import Depends, Query, Request, Response

from app.core.errors import InvalidCursorError
from app.core.pagination import DEFAULT_LIMIT, MAX_LIMIT, PageRequest
from app.core.schemas import Page
from app.http.deps import ContextDep

T = TypeVar("T")
_NUM_SIGNATURE_BYTES = 16


class CursorSeal:
    """Signs the cursors of one tenant with the service's secret."""

    def __init__(self, pepper: bytes, tenant_id: UUID | None) -> None:
        """Bind to a tenant: what another one was given is foreign."""
        tenant = tenant_id.bytes if tenant_id is not None else b""
        self._key = hmac.digest(pepper, b"cursor:" + tenant, hashlib.sha256)

    def sign(self, cursor: str) -> str:
        """Return the cursor as callers see it."""
        return f"{cursor}.{self._signature(cursor)}"

    def open(self, text: str) -> str:
        """Return the cursor that was signed.

        Raises:
            InvalidCursorError: It was not signed here, for this tenant.
        """
        cursor, _, signature = text.rpartition(".")
        # As bytes: the comparison takes no text beyond ASCII.
        if hmac.compare_digest(signature.encode(), self._signature(cursor).encode()):
            return cursor
        raise InvalidCursorError("This service gave you no such cursor.")

    def _signature(self, cursor: str) -> str:
        digest = hmac.digest(self._key, cursor.encode(), hashlib.sha256)[:_NUM_SIGNATURE_BYTES]
        return base64.urlsafe_b64encode(digest).decode().rstrip("=")


class Paging:
    """One request for a part of a list, and its reply."""

    def __init__(
        self, request: Request, response: Response, seal: CursorSeal, wanted: PageRequest
    ) -> None:
        """Answer `request` by way of `response`."""
        self.wanted = wanted
        self._seal = seal
        self._request = request
        self._response = response

    def reply(self, page: Page[T]) -> Page[T]:
        """Sign the cursor; add the RFC 8288 link to the next page, relative to this host."""
        if page.next_cursor is None:
            return page
        cursor = self._seal.sign(page.next_cursor)
        following = self._request.url.include_query_params(cursor=cursor)
        target = f"{following.path}?{following.query}"
        self._response.headers["Link"] = f'<{target}>; rel="next"'
        return page.model_copy(update={"next_cursor": cursor})


async def _paging(
    request: Request,
    response: Response,
    context: ContextDep,
    limit: Annotated[
        int, Query(ge=1, le=MAX_LIMIT, description="How many items a page has at most.")
    ] = DEFAULT_LIMIT,
    cursor: Annotated[
        str | None,
        Query(
            max_length=2000,
            description="`next_cursor` of the page before, unchanged, with the same filters.",
        ),
    ] = None,
) -> Paging:
    """Take `limit` and `cursor` from the query."""
    principal = getattr(request.state, "principal", None)
    seal = CursorSeal(context.pepper, principal.tenant_id if principal is not None else None)
    after = seal.open(cursor) if cursor is not None else None
    return Paging(request, response, seal, PageRequest(limit=limit, cursor=after))


PagingDep = Annotated[Paging, Depends(_paging)]
