from dataclasses import replace
from functools import partial
from pathlib import Path

from fastapi import FastAPI
from pydantic import SecretStr
from starlette.testclient import TestClient

from app.core.db import Database, make_engine
from app.core.probe import Probe
from app.core.queue import broker_answers, make_celery
from app.core.settings import Settings
from app.http.context import AppContext
from tests.support.ports import free_port


class TestHealthz:
    def test_needs_nothing(self, anonymous: TestClient) -> None:
        assert anonymous.get("/healthz").json() == {"status": "ok"}


class TestReadyz:
    def test_is_ok_when_all_is_there(self, anonymous: TestClient) -> None:
        reply = anonymous.get("/readyz")
        assert reply.status_code == 200
        assert reply.json() == {
            "status": "ok",
            "checks": {"database": "ok", "disk": "ok", "broker": "ok", "store": "ok"},
        }

    def test_fails_on_an_old_schema(
        self, app: FastAPI, context: AppContext, anonymous: TestClient, tmp_path: Path
    ) -> None:
        empty = Database(make_engine(f"sqlite:///{tmp_path / 'empty.db'}"))
        app.state.context = replace(context, database=empty)
        reply = anonymous.get("/readyz")
        empty.dispose()
        assert (reply.status_code, reply.json()["status"]) == (503, "failed")
        assert reply.json()["checks"]["database"] == "failed"

    def test_fails_on_a_full_disk(
        self, app: FastAPI, context: AppContext, anonymous: TestClient
    ) -> None:
        settings = context.settings.model_copy(update={"min_free_bytes": 2**62})
        app.state.context = replace(context, settings=settings)
        reply = anonymous.get("/readyz")
        assert (reply.status_code, reply.json()["checks"]["disk"]) == (503, "failed")

    def test_only_degrades_without_a_broker(
        self, app: FastAPI, context: AppContext, anonymous: TestClient, settings: Settings
    ) -> None:
        url = SecretStr(f"redis://127.0.0.1:{free_port()}/0")
        celery = make_celery(settings.model_copy(update={"redis_url": url}))
        app.state.context = replace(context, broker=Probe(partial(broker_answers, celery)))
        reply = anonymous.get("/readyz")
        assert reply.status_code == 200
        assert reply.json()["status"] == "degraded"
        assert reply.json()["checks"]["broker"] == "degraded"
