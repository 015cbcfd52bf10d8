"""A job's history as it grows."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from uuid import UUID

from anyio import to_thread

from app.core.db import Database
from app.core.ids import not_found, parse_uuid
from app.jobs.event_hub import EventHub
from app.jobs.repository import JobRepository
from app.models import FINAL_STATES, JobEvent

_BATCH = 500


@dataclass(frozen=True, slots=True)
class EventStream:
    """Follows one job; asks the database only for what was before it."""

    database: Database
    hub: EventHub
    tenant_id: UUID
    job_id: UUID

    @classmethod
    def open(cls, database: Database, hub: EventHub, tenant_id: UUID, job_id: str) -> "EventStream":
        """Get ready to follow a job.

        Raises:
            NotFoundError: The tenant has no such job.
        """
        known_id = parse_uuid(job_id, "job")
        with database.read() as session:
            if JobRepository(session, tenant_id).get(known_id) is None:
                raise not_found("job")
        return cls(database, hub, tenant_id, known_id)

    async def follow(self, after: int) -> AsyncIterator[JobEvent]:
        """Yield the events after `after`, up to and with the one that ends the job."""
        with self.hub.watch(self.job_id) as watch:
            while True:
                changed, is_over = watch.changed, watch.is_over
                recent = watch.recent(after)
                if recent is None:
                    events, is_over = await to_thread.run_sync(
                        self._look, after, limiter=self.hub.replays
                    )
                else:
                    events = recent
                for event in events:
                    after = event.seq
                    yield event
                if is_over:
                    return
                if not events:
                    await changed.wait()

    def _look(self, after: int) -> tuple[Sequence[JobEvent], bool]:
        with self.database.read() as session:
            jobs = JobRepository(session, self.tenant_id)
            # State first: events that came with a final state are then sure to be seen below.
            job = jobs.get(self.job_id)
            events = jobs.events_after(self.job_id, after, limit=_BATCH)
        is_final = job is None or job.state in FINAL_STATES
        return events, is_final and len(events) < _BATCH
