"""Keyset pages: a cursor holds the key of the last row seen, never an offset."""

import base64
import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Generic, TypeVar
from uuid import UUID

from pydantic import AwareDatetime, Field, TypeAdapter, ValidationError

from app.core.errors import InvalidCursorError

MAX_LIMIT = 500
DEFAULT_LIMIT = 100

K = TypeVar("K")
R = TypeVar("R")

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


def _hashable(key: Any) -> Any:
    return tuple(key) if isinstance(key, list) else key
