"""The service over HTTP: real database, real files, a broker that only notes who was woken."""

from collections.abc import Callable, Collection, Iterator
from dataclasses import replace
from uuid import UUID

import pytest
from fastapi import FastAPI
from starlette.routing import BaseRoute
from starlette.testclient import TestClient
from typing_extensions import override

from app.accounts.schemas import Scope
from app.accounts.service import AccountService
from app.core.queue import WakeUps
from app.core.settings import Settings
from app.http.context import AppContext
from app.main import create_app
from app.models import Tenant
from tests.support.rows import make_tenant

MakeClient = Callable[[UUID, Collection[Scope]], TestClient]


class NotedWakeUps(WakeUps):
    """Sends nothing."""

    def __init__(self) -> None:
        self.queues: list[str] = []

    @override
    def wake(self, queue: str) -> None:
        self.queues.append(queue)


def client_of(app: FastAPI, key: str | None = None) -> TestClient:
    """Give a client in the event loop of the application, where it runs: saves one a request."""
    client = TestClient(app, headers={"Authorization": f"Bearer {key}"} if key else None)
    client.portal = getattr(app.state, "portal", None)
    return client


@pytest.fixture
def wake_ups() -> NotedWakeUps:
    return NotedWakeUps()


@pytest.fixture(scope="session")
def routes(tmp_path_factory: pytest.TempPathFactory) -> list[BaseRoute]:
    """The routes of every application, which know none.

    FastAPI builds them when they are first looked through: that would be most of a test's time.
    """
    built = create_app(Settings(data_dir=tmp_path_factory.mktemp("routes")))
    built.state.context.database.dispose()
    return built.router.routes


@pytest.fixture
def app(
    settings: Settings, wake_ups: NotedWakeUps, routes: list[BaseRoute]
) -> Iterator[FastAPI]:  # fmt: skip
    """The application, on a disk that is never too full."""
    app = create_app(settings.model_copy(update={"min_free_bytes": 0}))
    app.state.context = replace(app.state.context, wake_ups=wake_ups)
    app.router.routes[:] = routes
    with TestClient(app) as running:
        app.state.portal = running.portal
        yield app


@pytest.fixture
def context(app: FastAPI) -> AppContext:
    context: AppContext = app.state.context
    return context


@pytest.fixture
def tenant(context: AppContext) -> Tenant:
    with context.database.unit_of_work() as session:
        return make_tenant(session, "ours")


@pytest.fixture
def make_client(app: FastAPI, context: AppContext) -> MakeClient:
    """Give clients with keys of their own."""

    def make(tenant_id: UUID, scopes: Collection[Scope]) -> TestClient:
        with context.database.unit_of_work() as session:
            accounts = AccountService(session, context.pepper)
            _, key = accounts.create_key(tenant_id, name="test", scopes=scopes)
        return client_of(app, key)

    return make


@pytest.fixture
def client(make_client: MakeClient, tenant: Tenant) -> TestClient:
    """A client with all rights."""
    return make_client(tenant.id, list(Scope))


@pytest.fixture
def stranger(make_client: MakeClient, context: AppContext) -> TestClient:
    """A client with all rights, of another tenant."""
    with context.database.unit_of_work() as session:
        other = make_tenant(session, "theirs")
    return make_client(other.id, list(Scope))


@pytest.fixture
def anonymous(app: FastAPI) -> TestClient:
    """A client without a key."""
    return client_of(app)
