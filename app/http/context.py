"""What one API process shares between its requests."""

import threading
from dataclasses import dataclass, field
from uuid import UUID

import anyio
from prometheus_client import CollectorRegistry

from app.core.blobs import Blobs, StoreState, open_blobs
from app.core.db import NUM_WRITES, Database
from app.core.digests import GrowingDigests
from app.core.probe import Probe
from app.core.queue import WakeUps
from app.core.settings import Settings
from app.core.signing import SigningKey
from app.core.storage import DataFolder


class InFlight:
    """Places at which one request works at a time; each process has its own."""

    def __init__(self) -> None:
        """Begin with nobody at work."""
        self._places: set[tuple[str, str]] = set()
        self._lock = threading.Lock()

    def enter(self, place: tuple[str, str]) -> bool:
        """Take a place; False if it is taken."""
        with self._lock:
            is_free = place not in self._places
            self._places.add(place)
            return is_free

    def leave(self, place: tuple[str, str]) -> None:
        """Give a place back."""
        with self._lock:
            self._places.discard(place)


@dataclass(frozen=True, slots=True, kw_only=True)
class AppContext:
    """Made once in `create_app`; requests get at it through `ContextDep`."""

    settings: Settings
    database: Database
    """Sees all tenants: for what no tenant asks for."""
    folder: DataFolder
    wake_ups: WakeUps
    broker: Probe[bool]
    """Whether the broker answers."""
    store: Probe[StoreState]
    metrics: CollectorRegistry
    """Of this process."""
    job_metrics: CollectorRegistry
    """Of the database."""
    pepper: bytes
    """Key of the API-key hashes."""
    signing_key: SigningKey
    """Signs the hashes of results."""
    digests: GrowingDigests = field(default_factory=GrowingDigests)
    """How far this process has hashed the uploads under way."""
    write_turns: anyio.Semaphore = field(
        default_factory=lambda: anyio.Semaphore(NUM_WRITES, fast_acquire=True)
    )
    """Taken by each request that holds a session to write in."""
    in_flight: InFlight = field(default_factory=InFlight)
    """The idempotency keys that this process is at."""

    def tenant_database(self, tenant_id: UUID) -> Database:
        """Return the database as a tenant sees it: what requests work on."""
        return self.database.of_tenant(tenant_id)

    def blobs(self, tenant_id: UUID) -> Blobs:
        """Return a tenant's store."""
        return open_blobs(self.settings, tenant_id)
