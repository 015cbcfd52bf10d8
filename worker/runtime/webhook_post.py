"""Sends one message to one receiver, which has one time for all of it."""

import http.client
import io
import socket
import ssl
import time
from collections.abc import Mapping

from typing_extensions import Buffer, override

from app.webhooks.delivery import Target, resolve

PATIENCE_SECONDS = 10.0
_MAX_REPLY_BYTES = 64 * 1024


def post(target: Target, body: bytes, headers: Mapping[str, str], *, private_allowed: bool) -> int:
    """Return the status of the reply; a redirect is an answer like any other.

    Raises:
        InvalidWebhookUrlError: Nothing may be sent there.
        OSError: The receiver was not reached, or took too long; `TimeoutError` is one.
        HTTPException: What it answered is no HTTP.
    """
    address = resolve(target, private_allowed=private_allowed)
    connection = _PinnedConnection(target, address, _Deadline(PATIENCE_SECONDS))
    try:
        connection.request("POST", target.path, body, headers)
        with connection.getresponse() as reply:
            reply.read(_MAX_REPLY_BYTES)
            return reply.status
    finally:
        connection.close()


class _Deadline:
    """One time for connecting, for TLS and for every byte of the reply together.

    A timeout of a socket begins anew with each byte: a receiver that sends one now and then would
    hold its sender for days.
    """

    def __init__(self, seconds: float) -> None:
        self._end = time.monotonic() + seconds

    def seconds_left(self) -> float:
        """Return what is left.

        Raises:
            TimeoutError: Nothing.
        """
        left = self._end - time.monotonic()
        if left <= 0:
            raise TimeoutError("the receiver took too long")
        return left


class _TimedSocket:
    """A socket as `http.client` uses one; each step has what the steps before it left."""

    def __init__(self, opened: socket.socket, deadline: _Deadline) -> None:
        self._socket = opened
        self._deadline = deadline

    def sendall(self, content: bytes) -> None:
        self._socket.settimeout(self._deadline.seconds_left())
        self._socket.sendall(content)

    def makefile(self, _mode: str) -> io.BufferedReader:
        return io.BufferedReader(_TimedReader(self._socket, self._deadline))

    def close(self) -> None:
        self._socket.close()


class _TimedReader(io.RawIOBase):
    """What comes from a socket; like a file of the socket's own it outlives its `close`."""

    def __init__(self, opened: socket.socket, deadline: _Deadline) -> None:
        self._socket = opened
        self._file = opened.makefile("rb", buffering=0)
        self._deadline = deadline

    @override
    def readable(self) -> bool:
        return True

    @override
    def readinto(self, buffer: Buffer) -> int | None:
        self._socket.settimeout(self._deadline.seconds_left())
        return self._file.readinto(buffer)

    @override
    def close(self) -> None:
        self._file.close()
        super().close()


class _PinnedConnection(http.client.HTTPConnection):
    """Connects to one address, and to no other that the host's name may stand for by now."""

    def __init__(self, target: Target, address: str, deadline: _Deadline) -> None:
        super().__init__(target.host, target.port)
        self._target, self._address, self._deadline = target, address, deadline

    @override
    def connect(self) -> None:
        place = (self._address, self._target.port)
        opened = socket.create_connection(place, self._deadline.seconds_left())
        if self._target.is_tls:
            opened.settimeout(self._deadline.seconds_left())
            context = ssl.create_default_context()
            opened = context.wrap_socket(opened, server_hostname=self._target.host)
        self.sock = _TimedSocket(opened, self._deadline)
