"""Whose turn it is: tenants take turns, whoever has most jobs waiting."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID


@dataclass(frozen=True, slots=True)
class Turn:
    """One tenant's place in one queue."""

    tenant_id: UUID
    num_waiting: int
    num_running: int
    last_served: datetime
    oldest_queued: datetime

    @property
    def key(self) -> tuple[int, datetime, datetime]:
        """Tenants with the fewest running jobs first, then those served longest ago."""
        return self.num_running, self.last_served, self.oldest_queued

    def comes_before(self, other: "Turn") -> bool:
        """Tell whether this tenant is served before the other one."""
        return self.key < other.key


def position(turns: Sequence[Turn], tenant_id: UUID, num_own_before: int) -> int:
    """Return the place in the queue, from 1, of a job with so many older ones of its own tenant.

    Each job served sends its tenant to the end of the row, so before it come as many rounds
    of the others as there are older jobs of its own, and once more those whose turn is sooner.
    """
    [own] = [turn for turn in turns if turn.tenant_id == tenant_id]
    others = (turn for turn in turns if turn is not own)
    num_before = sum(
        min(turn.num_waiting, num_own_before + turn.comes_before(own)) for turn in others
    )
    return num_own_before + num_before + 1
