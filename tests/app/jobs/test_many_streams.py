"""However many streams one tenant opens, the others are answered as before."""

from collections.abc import Callable, Iterator

import pytest
from anyio import to_thread
from anyio.abc import TaskGroup
from fastapi import FastAPI
from sqlalchemy import event

from app.accounts.schemas import Scope
from app.accounts.service import AccountService
from app.core.settings import Settings
from app.http.context import AppContext
from app.jobs.lease_repository import EventRepository
from app.main import create_app
from app.models import Job, JobState, Tenant
from tests.app.open_streams import OpenStream, run, until
from tests.support.engines import on_sqlite
from tests.support.rows import make_dataset, make_job, make_tenant

MakeApp = Callable[..., FastAPI]


@pytest.fixture
def make_app(settings: Settings) -> Iterator[MakeApp]:
    """Give an application, not yet running, with settings of one's own."""
    made: list[FastAPI] = []

    def make(**values: int) -> FastAPI:
        made.append(create_app(settings.model_copy(update=values)))
        return made[-1]

    yield make
    for app in made:
        app.state.context.database.dispose()


class Caller:
    """A tenant with a key and a running job."""

    def __init__(self, app: FastAPI, name: str) -> None:
        self.app = app
        self.context: AppContext = app.state.context
        with self.context.database.unit_of_work() as session:
            self.tenant: Tenant = make_tenant(session, name)
            accounts = AccountService(session, self.context.pepper)
            row, key = accounts.create_key(self.tenant.id, name="test", scopes=[Scope.READ])
            self.key, self.key_id = f"Bearer {key}", row.key_id
        self.job = self.add_job()

    def add_job(self) -> Job:
        with self.context.database.unit_of_work() as session:
            dataset = make_dataset(session, self.tenant.id)
            return make_job(session, dataset, state=JobState.RUNNING)

    def stream(self, job: Job | None = None, **headers: str) -> OpenStream:
        return OpenStream(self.app, (job or self.job).id, self.key, **headers)

    def append(self, job: Job | None = None, *, num: int = 1, ends: bool = False) -> None:
        job_id = (job or self.job).id
        with self.context.database.unit_of_work() as session:
            for _ in range(num):
                EventRepository(session).append(job_id, "progress", {})
            if ends:
                session.get_one(Job, job_id).state = JobState.SUCCEEDED


@on_sqlite
class TestLimits:
    def test_are_so_many_streams_of_one_tenant(self, make_app: MakeApp) -> None:
        app = make_app(max_tenant_streams=2)
        evil, other = Caller(app, "evil"), Caller(app, "other")

        async def work(tasks: TaskGroup) -> None:
            first, _ = [await evil.stream().open(tasks) for _ in range(2)]
            refused = await evil.stream().open(tasks)
            await refused.ended()
            assert (refused.status, refused.problem["code"]) == (429, "too_many_streams")
            assert refused.headers["content-type"] == "application/problem+json"
            assert int(refused.headers["retry-after"]) > 0
            assert (await other.stream().open(tasks)).status == 200
            await first.leave()
            assert (await evil.stream().open(tasks)).status == 200

        run(app, work)

    def test_are_so_many_streams_of_all(self, make_app: MakeApp) -> None:
        app = make_app(max_streams=2)
        ours, theirs = Caller(app, "ours"), Caller(app, "theirs")

        async def work(tasks: TaskGroup) -> None:
            for caller in (ours, theirs):
                assert (await caller.stream().open(tasks)).status == 200
            refused = await ours.stream().open(tasks)
            await refused.ended()
            assert (refused.status, refused.problem["code"]) == (503, "streams_exhausted")
            assert int(refused.headers["retry-after"]) > 0

        run(app, work)

    def test_hold_on_a_loopback_host_unless_set(self, settings: Settings) -> None:
        assert settings.on_loopback
        assert (settings.max_tenant_streams, settings.max_streams) == (100, 1000)

    def test_count_no_stream_that_was_never_begun(self, make_app: MakeApp) -> None:
        app = make_app(max_tenant_streams=1)
        ours, theirs = Caller(app, "ours"), Caller(app, "theirs")

        async def work(tasks: TaskGroup) -> None:
            unknown = await ours.stream(theirs.job).open(tasks)
            await unknown.ended()
            assert unknown.status == 404
            assert (await ours.stream().open(tasks)).status == 200

        run(app, work)


class TestManyStreams:
    def test_share_one_look_at_the_database(self, make_app: MakeApp) -> None:
        num_streams = 40
        app = make_app()
        ours = Caller(app, "ours")
        looks: list[str] = []

        async def work(tasks: TaskGroup) -> None:
            streams = [await ours.stream().open(tasks) for _ in range(num_streams)]
            await to_thread.run_sync(ours.append)
            await until(lambda: all(stream.ids == [1] for stream in streams))

            def note(_connection: object, _cursor: object, statement: str, *_: object) -> None:
                if "job_events" in statement and statement.lstrip().startswith("SELECT"):
                    looks.append(statement)

            event.listen(ours.context.database.engine, "before_cursor_execute", note)
            await to_thread.run_sync(ours.append)
            await until(lambda: all(stream.ids == [1, 2] for stream in streams))

        run(app, work)
        assert 0 < len(looks) < num_streams

    def test_bring_all_events_of_their_own_jobs_and_end_with_them(self, make_app: MakeApp) -> None:
        app = make_app()
        ours, theirs = Caller(app, "ours"), Caller(app, "theirs")
        second = ours.add_job()

        async def work(tasks: TaskGroup) -> None:
            await to_thread.run_sync(lambda: ours.append(num=3))
            early = await ours.stream().open(tasks)
            beside = await ours.stream(second).open(tasks)
            foreign = await theirs.stream().open(tasks)
            await until(lambda: early.ids == [1, 2, 3])
            resumed = await ours.stream(last_event_id="2").open(tasks)
            await until(lambda: resumed.ids == [3])
            # More than is kept in memory: who is behind reads the rest from the database.
            await to_thread.run_sync(lambda: ours.append(num=300))
            await until(lambda: early.ids[-1] == 303)
            late = await ours.stream().open(tasks)
            await to_thread.run_sync(lambda: ours.append(ends=True))
            for stream in (early, resumed, late):
                await stream.ended()
            assert early.ids == late.ids == [*range(1, 305)]
            assert resumed.ids == [*range(3, 305)]
            assert (beside.ids, foreign.ids) == ([], [])
            await to_thread.run_sync(lambda: theirs.append(ends=True))
            await foreign.ended()
            assert foreign.ids == [1]

        run(app, work)

    def test_end_with_a_job_that_is_removed(self, make_app: MakeApp) -> None:
        app = make_app()
        ours = Caller(app, "ours")

        def remove() -> None:
            with ours.context.database.unit_of_work() as session:
                session.delete(session.get_one(Job, ours.job.id))

        async def work(tasks: TaskGroup) -> None:
            stream = await ours.stream().open(tasks)
            await to_thread.run_sync(remove)
            await stream.ended()

        run(app, work)

    @on_sqlite
    def test_go_on_after_a_look_that_failed(self, make_app: MakeApp) -> None:
        app = make_app()
        ours = Caller(app, "ours")
        troubles = [RuntimeError("a bug"), OSError("no disk")]

        def fail(_connection: object, _cursor: object, statement: str, *_: object) -> None:
            if troubles and "job_events" in statement:
                raise troubles.pop()

        async def work(tasks: TaskGroup) -> None:
            stream = await ours.stream().open(tasks)
            await to_thread.run_sync(ours.append)
            await until(lambda: stream.ids == [1])
            event.listen(ours.context.database.engine, "before_cursor_execute", fail)
            await until(lambda: not troubles)
            event.remove(ours.context.database.engine, "before_cursor_execute", fail)
            await to_thread.run_sync(ours.append)
            await until(lambda: stream.ids == [1, 2])

        run(app, work)
