"""Keyset pages: a cursor holds the key of the last row seen, never an offset."""

import base64
import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Generic, Protocol, TypeVar
from uuid import UUID

from pydantic import AwareDatetime, Field, TypeAdapter, ValidationError

from app.core.errors import InvalidCursorError

MAX_LIMIT = 500
DEFAULT_LIMIT = 100

K = TypeVar("K")
R = TypeVar("R")
K_contra = TypeVar("K_contra", contravariant=True)
R_co = TypeVar("R_co", covariant=True)

# Larger numbers would be an error inside the database driver.
RowNumber = Annotated[int, Field(ge=-(2**63), lt=2**63)]
FiniteNumber = Annotated[float, Field(allow_inf_nan=False)]
NUMBER_KEY: TypeAdapter[int] = TypeAdapter(RowNumber)
CREATED_KEY: TypeAdapter[tuple[datetime, UUID]] = TypeAdapter(tuple[AwareDatetime, UUID])


@dataclass(frozen=True, slots=True)
class PageRequest:
    """Which part of a list is wanted."""

    limit: int = DEFAULT_LIMIT
    cursor: str | None = None


class Fetch(Protocol[K_contra, R_co]):
    """Returns the first `limit` rows of a list, or those after a key."""

    def __call__(self, *, after: K_contra | None, limit: int) -> Sequence[R_co]:
        """Ask the database."""


class Cursors(Generic[K]):
    """Writes and reads the cursors of one list under one set of filters."""

    def __init__(self, key: TypeAdapter[K], query: Mapping[str, Any]) -> None:
        """Pin to `query`: a cursor given under another one is refused."""
        self._key = key
        canonical = json.dumps(dict(query), sort_keys=True, default=str)
        self._query = hashlib.sha256(canonical.encode()).hexdigest()[:16]

    def decode(self, cursor: str | None) -> K | None:
        """Return the key to go on after, or nothing for the first page.

        Raises:
            InvalidCursorError: This list did not give this cursor.
        """
        if cursor is None:
            return None
        try:
            raw = base64.b64decode(cursor.encode("ascii"), altchars=b"-_", validate=True)
            content = json.loads(raw)
            if content["q"] == self._query:
                return self._key.validate_python(_hashable(content["k"]))
        except (ValueError, KeyError, TypeError, RecursionError, ValidationError):
            pass
        raise InvalidCursorError("The cursor belongs to another list, filter or order.")

    def cut(
        self, rows: Sequence[R], limit: int, *, key: Callable[[R], K]
    ) -> tuple[Sequence[R], str | None]:
        """Split `limit + 1` rows into a page and the cursor of the next one."""
        if len(rows) <= limit:
            return rows, None
        page = rows[:limit]
        content = {"q": self._query, "k": self._key.dump_python(key(page[-1]), mode="json")}
        return page, base64.urlsafe_b64encode(json.dumps(content).encode()).decode()


class HasCreated(Protocol):
    """A row that is listed by the time at which it was made."""

    id: Any
    created_at: Any


def created_key(row: HasCreated) -> tuple[datetime, UUID]:
    """Return the key of a row in a list by time."""
    return row.created_at, row.id


def paginate(
    page: PageRequest, cursors: Cursors[K], fetch: Fetch[K, R], *, key: Callable[[R], K]
) -> tuple[Sequence[R], str | None]:
    """Return one page of a list and the cursor of the next one.

    One row more than the page holds is asked for: it tells whether there is a next page.

    Raises:
        InvalidCursorError: The cursor of `page` is not one of `cursors`.
    """
    rows = fetch(after=cursors.decode(page.cursor), limit=page.limit + 1)
    return cursors.cut(rows, page.limit, key=key)


def _hashable(key: Any) -> Any:
    return tuple(key) if isinstance(key, list) else key
