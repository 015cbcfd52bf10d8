"""Calling an application below HTTP, to send bodies that a client library would not."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import anyio
from starlette.types import ASGIApp, Message


@dataclass(frozen=True, slots=True)
class Reply:
    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


def post(
    app: ASGIApp,
    path: str,
    *,
    headers: dict[str, str],
    chunks: Iterable[bytes],
    hangs_up: bool = False,
    method: str = "POST",
) -> Reply:
    """Send `chunks` one by one; end the body after them, or hang up."""
    sent: list[Message] = []
    incoming = _messages(chunks, hangs_up=hangs_up)

    async def receive() -> Message:
        return next(incoming)

    async def send(message: Message) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "root_path": "",
        "headers": [(name.lower().encode(), value.encode()) for name, value in headers.items()],
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 80),
    }

    async def main() -> None:
        await app(scope, receive, send)

    anyio.run(main)
    start = sent[0]
    return Reply(
        status=start["status"],
        headers={name.decode(): value.decode() for name, value in start["headers"]},
        body=b"".join(message.get("body", b"") for message in sent[1:]),
    )


def _messages(chunks: Iterable[bytes], *, hangs_up: bool) -> Iterator[Message]:
    for chunk in chunks:
        yield {"type": "http.request", "body": chunk, "more_body": True}
    if not hangs_up:
        yield {"type": "http.request", "body": b"", "more_body": False}
    while True:
        yield {"type": "http.disconnect"}
