"""Receivers of webhooks on this machine."""

import socket
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

from typing_extensions import override


class Receiver:
    """Notes what arrives, and answers as it is told."""

    def __init__(self) -> None:
        self.requests: list[tuple[dict[str, str], bytes]] = []
        self.paths: list[str] = []
        self.status = 200
        self.headers: dict[str, str] = {}
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                headers = {key.lower(): value for key, value in self.headers.items()}
                receiver.requests.append((headers, body))
                receiver.paths.append(self.path)
                self.send_response(receiver.status)
                for name, value in receiver.headers.items():
                    self.send_header(name, value)
                self.end_headers()

            @override
            def log_message(self, format: str, *args: Any) -> None:
                """Say nothing."""

        self._server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/hook"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class HeldReceiver:
    """Takes connections and does with each what `answer` says, until it is closed."""

    def __init__(self) -> None:
        self.ended = threading.Event()
        self.asked = threading.Semaphore(0)
        """Released once a connection."""
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}/hook"
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()
        self.num_asked = 0

    def answer(self, connection: socket.socket) -> None:
        """Hear everything and say nothing."""
        connection.recv(1 << 16)
        self.ended.wait()

    def close(self) -> None:
        self.ended.set()
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for thread in self._threads:
            thread.join()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            thread = threading.Thread(target=self._serve, args=(connection,))
            self._threads.append(thread)
            thread.start()

    def _serve(self, connection: socket.socket) -> None:
        with connection:
            self.num_asked += 1
            self.asked.release()
            try:
                self.answer(connection)
            except OSError:
                return  # the sender has hung up


class TricklingReceiver(HeldReceiver):
    """Begins its reply, and never comes to the end of it."""

    def __init__(self, begin: bytes) -> None:
        self._begin = begin
        super().__init__()

    @override
    def answer(self, connection: socket.socket) -> None:
        connection.sendall(self._begin)
        while not self.ended.wait(0.02):
            connection.sendall(b"x")


class BabblingReceiver(HeldReceiver):
    """Answers what is no HTTP."""

    @override
    def answer(self, connection: socket.socket) -> None:
        connection.recv(1 << 16)
        connection.sendall(b"\0\x07 who is there?\r\n\r\n")
