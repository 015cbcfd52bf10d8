"""Few reads are at work at once; whoever waits for somebody else is not counted."""

import threading
from collections.abc import Awaitable, Callable
from functools import partial
from typing import cast

import anyio
import pytest
from anyio import to_thread
from fastapi import FastAPI
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.core.blobs import Blobs
from app.http.deps import _read_session
from app.http.files import FileInfo, blob_response
from app.http.turns import READ_METHODS, ReadTurns
from tests.support.routes import all_routes

Serve = Callable[[Scope, Send], Awaitable[None]]
_START: Message = {"type": "http.response.start", "status": 200, "headers": []}
_PATIENCE_SECONDS = 10


def scope_of(path: str = "/v1/jobs", method: str = "GET") -> Scope:
    return {
        "type": "http", "method": method, "path": path, "headers": [], "query_string": b"",
        "state": {},
    }  # fmt: skip


async def no_body() -> Message:
    """Nothing comes, and the client stays."""
    await anyio.sleep_forever()
    raise AssertionError


async def ignore(_message: Message) -> None:
    """Take a reply in."""


async def request(app: ASGIApp, scope: Scope, send: Send) -> None:
    """Send one request."""
    await app(scope, no_body, send)


def turns_around(serve: Serve, num_turns: int) -> ASGIApp:
    async def app(scope: Scope, _receive: Receive, send: Send) -> None:
        await serve(scope, send)

    return ReadTurns(app, num_turns)


class Counted:
    """An application that notes how many requests are at work in it at most."""

    def __init__(self) -> None:
        self.now, self.most, self.served = 0, 0, 0

    async def serve(self, _scope: Scope, send: Send) -> None:
        self.now += 1
        self.most = max(self.most, self.now)
        await anyio.sleep(0.001)
        self.now -= 1
        self.served += 1
        await send(_START)


def serve_many(app: ASGIApp, scopes: list[Scope]) -> None:
    async def main() -> None:
        with anyio.fail_after(_PATIENCE_SECONDS):
            async with anyio.create_task_group() as tasks:
                for scope in scopes:
                    tasks.start_soon(request, app, scope, ignore)

    anyio.run(main)


def test_few_reads_are_at_work_at_once() -> None:
    counted = Counted()
    serve_many(turns_around(counted.serve, 2), [scope_of() for _ in range(20)])
    assert (counted.most, counted.served) == (2, 20)


@pytest.mark.parametrize(
    "scope", [scope_of(method="POST"), scope_of("/healthz"), scope_of("/readyz")]
)
def test_writes_and_probes_take_no_turn(scope: Scope) -> None:
    counted = Counted()
    serve_many(turns_around(counted.serve, 2), [dict(scope) for _ in range(20)])
    assert counted.most == 20


def test_a_reply_that_has_begun_holds_no_turn() -> None:
    begun = 0

    async def main() -> None:
        all_begun = anyio.Event()

        async def serve(_scope: Scope, send: Send) -> None:
            nonlocal begun
            await send(_START)
            begun += 1
            if begun == 3:
                all_begun.set()
            await all_begun.wait()

        app = turns_around(serve, 1)
        with anyio.fail_after(_PATIENCE_SECONDS):
            async with anyio.create_task_group() as tasks:
                for _ in range(3):
                    tasks.start_soon(request, app, scope_of(), ignore)

    anyio.run(main)
    assert begun == 3


def test_who_fails_gives_the_turn_back() -> None:
    async def fail(_scope: Scope, _send: Send) -> None:
        raise RuntimeError("no reply")

    app = turns_around(fail, 1)

    async def main() -> None:
        for _ in range(3):
            with anyio.fail_after(_PATIENCE_SECONDS), pytest.raises(RuntimeError, match="no reply"):
                await request(app, scope_of(), ignore)

    anyio.run(main)


class StoreThatIsAway:
    """Answers when it is told to."""

    def __init__(self) -> None:
        self.asked, self.back = threading.Event(), threading.Event()

    def local_path(self, _sha256: str) -> None:
        return None

    def num_bytes(self, _sha256: str) -> int:
        self.asked.set()
        assert self.back.wait(_PATIENCE_SECONDS)
        return 3

    def read(self, _sha256: str, start: int, end: int) -> list[bytes]:
        return [b"abc"[start:end]]


class Picture:
    """Some file."""

    name, sha256, media_type = "a.png", "0" * 64, "image/png"


def test_others_read_while_a_store_is_waited_for() -> None:
    store, sent = StoreThatIsAway(), list[Message]()

    async def serve(scope: Scope, send: Send) -> None:
        if scope["path"] != "/image":
            await send(_START)
            return
        reply = blob_response(Request(scope), cast("Blobs", store), cast("FileInfo", Picture()))
        await reply(scope, no_body, send)

    app = turns_around(serve, 1)

    async def keep(message: Message) -> None:
        sent.append(message)

    async def main() -> None:
        with anyio.fail_after(_PATIENCE_SECONDS):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(request, app, scope_of("/image"), keep)
                await to_thread.run_sync(partial(store.asked.wait, _PATIENCE_SECONDS))
                await request(app, scope_of(), ignore)
                assert not sent
                store.back.set()

    anyio.run(main)
    assert b"".join(message.get("body", b"") for message in sent) == b"abc"


def sessions_to_read_in(needed: Dependant) -> bool:
    return needed.call is _read_session or any(map(sessions_to_read_in, needed.dependencies))


def test_only_what_takes_a_turn_reads_in_a_session(app: FastAPI) -> None:
    routes = [each for each in all_routes(app) if isinstance(each, APIRoute)]
    reading = [route for route in routes if sessions_to_read_in(route.dependant)]
    assert len(reading) > 20
    assert not [route.path for route in reading if not set(route.methods or ()) <= READ_METHODS]
