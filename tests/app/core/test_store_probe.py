"""Whether the bucket of an S3 store can be used, as `/readyz` and `labelaudit doctor` ask."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from app.core.blobs import StoreState, look_at_store
from app.core.probe import Probe
from app.core.settings import Settings
from app.http.context import AppContext
from labelaudit import doctor
from tests.support.ports import free_port

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@pytest.fixture
def s3(settings: Settings, s3_settings: dict[str, str]) -> Settings:
    return settings.model_copy(update=s3_settings)


@pytest.fixture
def missing(s3: Settings) -> Settings:
    return s3.model_copy(update={"store_url": "s3://nobody-made-this/blobs"})


@pytest.fixture
def silent(s3: Settings) -> Settings:
    return s3.model_copy(update={"s3_endpoint": f"http://127.0.0.1:{free_port()}"})


class TestLook:
    def test_finds_a_bucket(self, s3: Settings) -> None:
        assert look_at_store(s3) is StoreState.USABLE

    def test_misses_a_bucket(self, missing: Settings) -> None:
        assert look_at_store(missing) is StoreState.NO_BUCKET

    def test_hears_nothing(self, silent: Settings) -> None:
        assert look_at_store(silent) is StoreState.SILENT

    def test_needs_no_bucket_for_files(self, settings: Settings) -> None:
        assert look_at_store(settings) is StoreState.USABLE


@contextmanager
def _looking_at(app: FastAPI, context: AppContext, settings: Settings) -> Iterator[None]:
    app.state.context = replace(context, store=Probe(lambda: look_at_store(settings)))
    yield
    app.state.context = context


class TestReadyz:
    def test_fails_without_the_bucket(
        self, app: FastAPI, context: AppContext, anonymous: TestClient, missing: Settings
    ) -> None:
        with _looking_at(app, context, missing):
            reply = anonymous.get("/readyz")
        assert (reply.status_code, reply.json()["checks"]["store"]) == (503, "failed")

    def test_only_degrades_while_the_store_is_away(
        self, app: FastAPI, context: AppContext, anonymous: TestClient, silent: Settings
    ) -> None:
        with _looking_at(app, context, silent):
            reply = anonymous.get("/readyz")
        assert (reply.status_code, reply.json()["checks"]["store"]) == (200, "degraded")


class TestDoctor:
    def test_misses_the_bucket(self, missing: Settings) -> None:
        check = doctor._look_at_store(missing)
        assert check.state == "s3://nobody-made-this/blobs: the bucket does not exist"
        assert "nobody-made-this" in check.fix

    def test_finds_nothing_wrong(self, s3: Settings) -> None:
        check = doctor._look_at_store(s3)
        assert (check.state, check.fix) == (s3.s3_url, "")
