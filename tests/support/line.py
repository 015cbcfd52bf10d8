"""A line to a server that can be cut and mended, while the server goes on."""

import contextlib
import re
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from typing_extensions import override

from tests.support.ports import free_port

_CHUNK = 64 * 1024


class Line:
    """Listens on a port of its own and passes on what comes."""

    def __init__(self, target_port: int) -> None:
        self.port = free_port()
        self._target_port = target_port
        self._listener: socket.socket | None = None
        self._open: set[socket.socket] = set()

    def mend(self) -> None:
        """Take connections."""
        self._listener = socket.create_server(("127.0.0.1", self.port))
        threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()

    def cut(self) -> None:
        """Break all connections and refuse new ones."""
        if self._listener is not None:
            self._listener.shutdown(socket.SHUT_RDWR)
            self._listener.close()
            self._listener = None
        for end in list(self._open):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                near, _ = listener.accept()
            except OSError:
                return
            far = socket.create_connection(("127.0.0.1", self._target_port))
            for way in ((near, far, self.to_server), (far, near, self.to_client)):
                self._open.add(way[0])
                threading.Thread(target=self._pass_on, args=way, daemon=True).start()

    def to_server(self, data: bytes) -> bytes:
        """Return what arrives of what a client sends."""
        return data

    def to_client(self, data: bytes) -> bytes:
        """Return what arrives of what the server answers."""
        return data

    def _pass_on(
        self, source: socket.socket, sink: socket.socket, changed: Callable[[bytes], bytes]
    ) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(_CHUNK):
                sink.sendall(changed(data))
        with contextlib.suppress(OSError):
            sink.shutdown(socket.SHUT_RDWR)
        self._open.discard(source)
        source.close()


AnyLine = TypeVar("AnyLine", bound=Line)


class BadLine(Line):
    """Breaks once in the middle of a body, and once delivers a wrong byte."""

    MENDED_AFTER_SECONDS = 0.3

    def __init__(self, target_port: int, *, cut_at: int, wrong_at: int) -> None:
        """Do so after that many bytes to the server."""
        super().__init__(target_port)
        self._left = [(cut_at, self._cut_for_a_while), (wrong_at, self._with_wrong_end)]
        self._num_passed = 0
        self.statuses: list[int] = []
        """Of the server's answers."""

    @override
    def to_server(self, data: bytes) -> bytes:
        self._num_passed += len(data)
        # Only in the middle of a body, as far as can be told from outside.
        if self._left and self._num_passed >= self._left[0][0] and len(data) >= _CHUNK // 4:
            return self._left.pop(0)[1](data)
        return data

    @override
    def to_client(self, data: bytes) -> bytes:
        self.statuses += map(int, re.findall(rb"^HTTP/1.1 (\d{3})", data))
        return data

    def _cut_for_a_while(self, data: bytes) -> bytes:
        self.cut()
        threading.Timer(self.MENDED_AFTER_SECONDS, self.mend).start()
        return data

    @staticmethod
    def _with_wrong_end(data: bytes) -> bytes:
        return data[:-1] + bytes([data[-1] ^ 1])


@contextmanager
def line_to(url: str) -> Iterator[Line]:
    """Yield a line to the server at `http://host:port`."""
    with laid(Line(port_of(url))) as line:
        yield line


@contextmanager
def laid(line: AnyLine) -> Iterator[AnyLine]:
    """Yield a line that is open meanwhile."""
    line.mend()
    try:
        yield line
    finally:
        line.cut()


def port_of(url: str) -> int:
    return int(url.rpartition(":")[2])
