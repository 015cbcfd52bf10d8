import asyncio
from collections.abc import Iterator
from uuid import uuid4

import anyio
import pytest
from fastapi import FastAPI
from starlette.exceptions import HTTPException
from starlette.testclient import TestClient
from starlette.types import Message

from app.accounts import idempotency
from app.accounts.idempotency import IdempotentRoute
from app.accounts.schemas import Scope
from app.http import body_limit
from app.http.body_limit import is_deeper
from app.models import Tenant
from tests.app.asgi import Reply, post
from tests.app.conftest import MakeClient
from tests.support.engines import on_sqlite
from tests.support.routes import all_routes

MIB = 1024 * 1024


class Body:
    """Many MiB, and how many of them somebody took."""

    def __init__(self, piece: bytes = b" " * MIB) -> None:
        self.num_taken = 0
        self._piece = piece

    def __iter__(self) -> Iterator[bytes]:
        for _ in range(20):
            self.num_taken += 1
            yield self._piece


def send(client: TestClient, path: str, body: Body, **headers: str) -> Reply:
    assert isinstance(client.app, FastAPI)
    known = {"Authorization": client.headers["authorization"], "Host": "testserver"}
    more = {name.replace("_", "-"): value for name, value in headers.items()}
    return post(client.app, path, headers=known | more, chunks=body)


class TestSize:
    def test_json_larger_than_1_mib_is_refused(self, client: TestClient) -> None:
        reply = client.post("/v1/jobs", json={"dataset_id": "x" * 1024 * 1024})
        assert (reply.status_code, reply.json()["code"]) == (413, "payload_too_large")

    @on_sqlite
    def test_is_limited_where_only_some_methods_stream(self, client: TestClient) -> None:
        body = Body()
        tus = {"Tus_Resumable": "1.0.0", "Upload_Length": "9", "Idempotency_Key": "once"}
        reply = send(client, "/v1/uploads", body, **tus)
        assert (reply.status, reply.json()["code"]) == (413, "payload_too_large")
        assert body.num_taken <= 3

    @on_sqlite
    def test_is_limited_for_every_post_that_is_read_before_it_runs(
        self, app: FastAPI, client: TestClient
    ) -> None:
        paths = {
            route.path.format_map({name: str(uuid4()) for name in route.param_convertors})
            for route in all_routes(app.router)
            if isinstance(route, IdempotentRoute) and "POST" in (route.methods or ())
        }
        assert len(paths) > 10
        for path in sorted(paths):
            body = Body()
            reply = send(client, path, body, Idempotency_Key="once")
            assert (reply.status, body.num_taken <= 3) == (413, True), path

    @on_sqlite
    def test_does_not_matter_to_whoever_lacks_the_right(
        self, make_client: MakeClient, tenant: Tenant
    ) -> None:
        reader, body = make_client(tenant.id, [Scope.READ]), Body()
        for path in ("/v1/uploads", "/v1/jobs", "/v1/webhooks"):
            reply = send(reader, path, body, Idempotency_Key="once")
            assert (reply.status, reply.json()["code"]) == (403, "forbidden")
        assert body.num_taken == 0


@on_sqlite
def test_a_body_is_never_looked_through_on_the_event_loop(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A MiB takes a fifth of a second: nobody else would be answered meanwhile."""
    places: list[str] = []

    def watch(module: object, name: str) -> None:
        work = getattr(module, name)

        def watched(*arguments: object) -> object:
            try:
                asyncio.get_running_loop()
            except RuntimeError:
                places.append("thread")
            else:
                places.append("loop")
            return work(*arguments)

        monkeypatch.setattr(module, name, watched)

    watch(idempotency, "_meaning")
    watch(body_limit, "is_deeper")
    client.post("/v1/jobs", json={"dataset_id": "x"}, headers={"Idempotency-Key": "once"})
    assert places == ["thread", "thread"]


class TestDepth:
    @pytest.mark.parametrize(("opening", "closing"), [("[", "]"), ('{"a":', "}")])
    def test_json_nested_too_deep_is_refused(
        self, client: TestClient, opening: str, closing: str
    ) -> None:
        for depth, status in ((33, 400), (32, 422), (150_000, 400)):
            body = opening * depth + "1" + closing * depth
            reply = client.post(
                "/v1/jobs", content=body, headers={"Content-Type": "application/json"}
            )
            assert reply.status_code == status, depth
            assert status != 400 or reply.json()["code"] == "invalid_request"

    def test_is_of_no_interest_where_the_body_is_said_to_be_something_else(
        self, client: TestClient
    ) -> None:
        for kind, status in (
            ("application/problem+json; charset=utf-8", 400),
            ("Application/JSON", 400),
            ("text/plain", 422),
            ("application/x-www-form-urlencoded", 422),
        ):
            reply = client.post("/v1/jobs", content="[" * 99, headers={"Content-Type": kind})
            assert reply.status_code == status, kind

    @pytest.mark.parametrize(
        ("text", "depth"),
        [
            ("1", 0),
            ("[[]]", 2),
            ('["[[[["]', 1),
            (r'["\"[[["]', 1),
            ('[],[{"a":[]}]', 3),
            ('"[[', 0),
        ],
    )
    def test_is_that_of_the_brackets_outside_of_texts(self, text: str, depth: int) -> None:
        assert not is_deeper(text.encode(), depth)
        assert depth == 0 or is_deeper(text.encode(), depth - 1)


class TestTime:
    def test_a_body_that_trickles_is_given_up(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(body_limit, "_PATIENCE_SECONDS", 0.2)

        async def trickle() -> Message:
            await anyio.sleep(0.02)
            return {"type": "http.request", "body": b" ", "more_body": True}

        with pytest.raises(HTTPException) as caught:
            anyio.run(body_limit._read, trickle, MIB)
        assert caught.value.status_code == 408
