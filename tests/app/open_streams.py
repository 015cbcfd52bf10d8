"""Event streams that stay open, of one application, in one event loop."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import anyio
from anyio.abc import TaskGroup
from fastapi import FastAPI
from starlette.types import Message

PATIENCE = 30.0


class OpenStream:
    """One reader; it hangs up when it is told to."""

    def __init__(self, app: FastAPI, job_id: object, key: str, **headers: str) -> None:
        named = {"authorization": key, "host": "testserver"} | headers
        path = f"/v1/jobs/{job_id}/events"
        self._app = app
        self._scope = {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": "1.1",
            "method": "GET",
            "scheme": "http",
            "path": path,
            "raw_path": path.encode(),
            "query_string": b"",
            "root_path": "",
            "headers": [
                (name.replace("_", "-").encode(), value.encode()) for name, value in named.items()
            ],
            "client": ("127.0.0.1", 1),
            "server": ("127.0.0.1", 80),
        }
        self.status = 0
        self.headers: dict[str, str] = {}
        self._text = ""
        self._left = anyio.Event()
        self._ended = anyio.Event()

    @property
    def ids(self) -> list[int]:
        """What came up to now."""
        return [int(line[4:]) for line in self._text.splitlines() if line.startswith("id: ")]

    @property
    def problem(self) -> Any:
        return json.loads(self._text)

    async def open(self, tasks: TaskGroup) -> "OpenStream":
        """Begin to read; come back once it is answered."""
        tasks.start_soon(self._read)
        await until(lambda: self.status)
        return self

    async def ended(self) -> None:
        """Wait for the end of the reply."""
        with anyio.fail_after(PATIENCE):
            await self._ended.wait()

    async def leave(self) -> None:
        """Hang up."""
        self._left.set()
        await self.ended()

    async def _read(self) -> None:
        asked = False

        async def receive() -> Message:
            nonlocal asked
            if not asked:
                asked = True
                return {"type": "http.request", "body": b"", "more_body": False}
            await self._left.wait()
            return {"type": "http.disconnect"}

        async def send(message: Message) -> None:
            if message["type"] == "http.response.start":
                raw = message["headers"]
                self.headers = {name.decode(): value.decode() for name, value in raw}
                self.status = message["status"]
            self._text += message.get("body", b"").decode()

        try:
            await self._app(self._scope, receive, send)
        finally:
            self._ended.set()


async def until(is_so: Callable[[], object]) -> None:
    """Wait for something that other tasks bring about."""
    with anyio.fail_after(PATIENCE):
        while not is_so():  # noqa: ASYNC110 - replies and rows set no event of ours
            await anyio.sleep(0.01)


def run(app: FastAPI, work: Callable[[TaskGroup], Awaitable[None]]) -> None:
    """Run `work` in a running application, and end what it left open."""

    async def main() -> None:
        async with _running(app) as tasks:
            await work(tasks)

    anyio.run(main)


@asynccontextmanager
async def _running(app: FastAPI) -> AsyncIterator[TaskGroup]:
    async with app.router.lifespan_context(app), anyio.create_task_group() as tasks:
        yield tasks
        tasks.cancel_scope.cancel()
