"""Slow-loris: a connection must say in time what it wants."""

import asyncio
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import closing

import pytest
import uvicorn
from starlette.responses import PlainTextResponse
from starlette.types import Receive, Scope, Send

from app.http.patience import MAX_HEAD_BYTES, PatientProtocol

HEAD_SECONDS = 0.5
REQUEST = b"GET / HTTP/1.1\r\nHost: x\r\n"


async def _app(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer, after a while that is longer than a head may take."""
    if scope["type"] == "http":
        await asyncio.sleep(2 * HEAD_SECONDS if scope["path"] == "/slow" else 0)
        await PlainTextResponse("ok")(scope, receive, send)


class _Hurried(PatientProtocol):
    head_seconds = HEAD_SECONDS


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    config = uvicorn.Config(
        _app, port=0, log_level="critical", http=_Hurried, lifespan="off",
        h11_max_incomplete_event_size=MAX_HEAD_BYTES, timeout_keep_alive=60,
    )  # fmt: skip
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    yield server.servers[0].sockets[0].getsockname()[1]
    server.should_exit = True
    thread.join()


@pytest.fixture
def connection(port: int) -> Iterator[socket.socket]:
    with closing(socket.create_connection(("127.0.0.1", port), timeout=10)) as opened:
        yield opened


def _seconds_until_closed(connection: socket.socket) -> float:
    """Send a byte of a header now and then, until the other side hangs up."""
    start = time.monotonic()
    while time.monotonic() - start < 10:
        try:
            connection.sendall(b"x")
            connection.settimeout(0.05)
            if connection.recv(1) == b"":
                break
        except TimeoutError:
            continue
        except OSError:
            break
    return time.monotonic() - start


class TestHead:
    def test_that_trickles_is_given_up(self, connection: socket.socket) -> None:
        connection.sendall(REQUEST + b"X: ")
        assert 0.8 * HEAD_SECONDS < _seconds_until_closed(connection) < 5

    def test_that_never_comes_is_given_up(self, connection: socket.socket) -> None:
        start = time.monotonic()
        assert connection.recv(1) == b""
        assert time.monotonic() - start < 5

    def test_that_trickles_after_a_first_request_is_given_up(
        self, connection: socket.socket
    ) -> None:
        connection.sendall(REQUEST + b"\r\n")
        assert connection.recv(1000).startswith(b"HTTP/1.1 200")
        connection.sendall(REQUEST + b"X: ")
        assert _seconds_until_closed(connection) < 5

    def test_larger_than_the_limit_is_refused(self, connection: socket.socket) -> None:
        connection.sendall(REQUEST + b"X: " + b"x" * (MAX_HEAD_BYTES + 70_000))
        assert connection.recv(1000).startswith(b"HTTP/1.1 400")


class TestReply:
    def test_may_take_longer(self, connection: socket.socket) -> None:
        connection.sendall(REQUEST.replace(b"/ ", b"/slow ") + b"\r\n")
        assert connection.recv(1000).startswith(b"HTTP/1.1 200")
