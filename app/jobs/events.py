"""The history of a job as it grows: one look at the database for all event streams of a process."""

from collections import Counter, deque
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from uuid import UUID

import anyio
from anyio import CapacityLimiter, to_thread

from app.core.background import log_failure
from app.core.db import Database
from app.core.ids import not_found, parse_uuid
from app.core.settings import Settings
from app.jobs.lease_repository import EventRepository
from app.jobs.repository import JobRepository
from app.jobs.schemas import StreamsExhaustedError, TooManyStreamsError
from app.models import FINAL_STATES, JobEvent

_POLL_SECONDS = 0.5
_BATCH = 500
_KEPT = 50
"""Events of one job in memory: who is further behind reads them from the database."""
_NUM_REPLAYS = 2
"""Streams that may read at once what was before them: others are not to wait for all of them."""
_RETRY_AFTER = {"Retry-After": "10"}


@dataclass(frozen=True, slots=True)
class _News:
    """What one look saw of a job; `events` are those after the ones known before."""

    events: Sequence[JobEvent]
    latest: int
    is_final: bool


class Watch:
    """A job that somebody follows, as the last look saw it; on the event loop only."""

    def __init__(self) -> None:
        """Know nothing yet."""
        self.num_followers = 0
        self.is_over = False
        """Whether no more events come than are known."""
        self.changed = anyio.Event()
        """Set at the next change, and then replaced."""
        self.seen: int | None = None
        """The newest event that was looked at."""
        self._events: deque[JobEvent] = deque(maxlen=_KEPT)
        self._begin = 0

    def recent(self, after: int) -> list[JobEvent] | None:
        """Return the events after `after`; None if only the database can tell."""
        if self.seen is None or after < self._begin:
            return None
        return [event for event in self._events if event.seq > after]

    def learn(self, news: _News) -> None:
        """Take in what a look saw, and tell the followers."""
        if self.seen is None:
            self.seen = self._begin = news.latest
        elif not news.events and not news.is_final:
            return
        elif news.events:
            self._events.extend(news.events)
            self.seen = news.events[-1].seq
            self._begin = self._events[0].seq - 1
        self.is_over = news.is_final and self.seen >= news.latest
        self.changed.set()
        self.changed = anyio.Event()


class EventHub:
    """Knows who follows which job, and how many streams there are."""

    def __init__(self, database: Database, settings: Settings) -> None:
        """Look into `database`, which sees all tenants."""
        self._database = database
        self._max_per_tenant = settings.max_tenant_streams
        self._max = settings.max_streams
        self._streams: Counter[UUID] = Counter()
        self._watches: dict[UUID, Watch] = {}
        self.replays = CapacityLimiter(_NUM_REPLAYS)

    @contextmanager
    def place(self, tenant_id: UUID) -> Iterator[None]:
        """Hold one of the tenant's places.

        Raises:
            TooManyStreamsError: The tenant has none left.
            StreamsExhaustedError: This process has none left.
        """
        if self._streams[tenant_id] >= self._max_per_tenant:
            text = f"A tenant may have {self._max_per_tenant} event streams open."
            raise TooManyStreamsError(text, headers=_RETRY_AFTER, limit=self._max_per_tenant)
        if self._streams.total() >= self._max:
            text = "As many event streams are open as the service holds. Try again soon."
            raise StreamsExhaustedError(text, headers=_RETRY_AFTER)
        self._streams[tenant_id] += 1
        try:
            yield
        finally:
            self._streams[tenant_id] -= 1
            if not self._streams[tenant_id]:
                del self._streams[tenant_id]

    @contextmanager
    def watch(self, job_id: UUID) -> Iterator[Watch]:
        """Have a job looked at; whoever follows it has made sure that it is theirs."""
        watch = self._watches.setdefault(job_id, Watch())
        watch.num_followers += 1
        try:
            yield watch
        finally:
            watch.num_followers -= 1
            if not watch.num_followers and self._watches.get(job_id) is watch:
                del self._watches[job_id]

    async def run(self) -> None:
        """Look again and again, in a thread that nobody else waits for."""
        thread = CapacityLimiter(1)
        while True:
            await anyio.sleep(_POLL_SECONDS)
            seen = {job_id: watch.seen for job_id, watch in self._watches.items()}
            if not seen:
                continue
            try:
                found = await to_thread.run_sync(self._look, seen, limiter=thread)
            except Exception as error:  # noqa: BLE001 - the streams wait; the next look may go well
                log_failure("events", error)
                continue
            for job_id, news in found.items():
                self._tell(job_id, seen[job_id], news)

    def _tell(self, job_id: UUID, known: int | None, news: _News) -> None:
        watch = self._watches.get(job_id)
        if watch is None or watch.seen != known:
            return  # nobody follows the job any more, or somebody does anew
        watch.learn(news)
        if watch.is_over:
            del self._watches[job_id]  # who comes now may find it retried

    def _look(self, seen: Mapping[UUID, int | None]) -> dict[UUID, _News]:
        """Return what is new of the jobs of which so much was seen."""
        found: dict[UUID, _News] = {}
        with self._database.read() as session:
            events = EventRepository(session)
            states = events.latest(list(seen))
            for job_id, known in seen.items():
                if job_id not in states:  # removed
                    found[job_id] = _News([], known or 0, is_final=True)
                    continue
                state, latest = states[job_id]
                is_new = known is not None and known < latest
                fresh = events.after(job_id, known or 0, limit=_BATCH) if is_new else []
                found[job_id] = _News(fresh, latest, is_final=state in FINAL_STATES)
        return found


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
