"""Who calls, and what they may do."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from app.core.errors import ForbiddenError


class Scope(StrEnum):
    """A right that a key carries; none implies another."""

    READ = "read"
    REVIEW = "review"
    WRITE = "write"
    TRAIN = "train"
    ADMIN = "admin"


@dataclass(frozen=True, slots=True)
class Principal:
    """The caller of one request."""

    tenant_id: UUID
    scopes: frozenset[Scope]
    key_id: str | None
    """The public part of the key; none where the service runs without keys."""
    last_used_at: datetime | None = None
    """When the key's use was last noted."""
    key_name: str | None = None
    """What the key was called when it was made."""

    def require(self, *scopes: Scope) -> None:
        """Go on only with all of these rights.

        Raises:
            ForbiddenError: One is missing.
        """
        missing = [scope.value for scope in scopes if scope not in self.scopes]
        if missing:
            raise ForbiddenError(f"The key lacks the scope {', '.join(missing)}.", missing=missing)
