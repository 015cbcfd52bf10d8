"""Many requests at once: none waits for a connection that another one cannot give back."""

import time
from typing import Any

import anyio
import httpx2
import pytest
from fastapi import FastAPI
from sqlalchemy import event
from sqlalchemy.pool import QueuePool
from starlette.testclient import TestClient

from app.core.db import NUM_READS, NUM_WRITES
from app.http.context import AppContext

NUM_REQUESTS = 150
_PATIENCE_SECONDS = 2.0


@pytest.fixture
def slow_database(context: AppContext) -> AppContext:
    """Each statement takes a while, and a connection that does not come soon is an error."""
    engine = context.database.engine
    assert isinstance(engine.pool, QueuePool)
    engine.pool._timeout = _PATIENCE_SECONDS

    @event.listens_for(engine, "before_cursor_execute")
    def _wait(*_arguments: Any) -> None:
        time.sleep(0.002)

    return context


@pytest.mark.usefixtures("slow_database")
def test_more_requests_than_connections_are_all_answered(app: FastAPI, client: TestClient) -> None:
    statuses: list[int] = []

    async def ask(http: httpx2.AsyncClient) -> None:
        statuses.append((await http.get("/v1/jobs")).status_code)

    async def main() -> None:
        headers = {"Authorization": client.headers["Authorization"]}
        transport = httpx2.ASGITransport(app=app)
        async with (
            httpx2.AsyncClient(
                transport=transport, base_url="http://127.0.0.1", headers=headers, timeout=60
            ) as http,
            anyio.create_task_group() as tasks,
        ):
            for _ in range(NUM_REQUESTS):
                tasks.start_soon(ask, http)

    anyio.run(main)
    assert statuses == [200] * NUM_REQUESTS


def test_the_pool_has_connections_to_spare(context: AppContext) -> None:
    pool = context.database.engine.pool
    assert isinstance(pool, QueuePool)
    assert pool.size() + pool._max_overflow > NUM_READS + NUM_WRITES
