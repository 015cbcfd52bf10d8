"""Server mode by hand: API, workers and sweeper as processes on servers that a test chooses."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx2

from tests.support.client import ServiceClient
from tests.support.ports import free_port
from tests.support.processes import end, run_to_end, start
from tests.support.waiting import wait_for

PROGRAM = (sys.executable, "-P", "-m", "labelaudit")
QUICK = {
    "LABELAUDIT_LEASE_SECONDS": "6",
    "LABELAUDIT_HEARTBEAT_SECONDS": "1",
    "LABELAUDIT_SWEEP_SECONDS": "1",
    "LABELAUDIT_RESEND_MAX_SECONDS": "4",
}
"""Leases that a test can wait for."""
EVERYTHING = {
    "api": ("api",),
    "gpu": ("worker", "--queue", "gpu"),
    "cpu": ("worker", "--queue", "cpu"),
    "sweeper": ("sweeper",),
}


class Stack:
    """The processes of one service, each of which can be killed and started again."""

    def __init__(self, folder: Path, environment: dict[str, str]) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.data_dir = folder / "data"
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.environment = os.environ | {
            "LABELAUDIT_DATA_DIR": str(self.data_dir), "LABELAUDIT_PORT": str(self.port),
            "OMP_NUM_THREADS": "1", **QUICK, **environment,
        }  # fmt: skip
        self._clients: list[ServiceClient] = []
        self.processes: dict[str, subprocess.Popen[bytes]] = {}

    def call(self, *arguments: str) -> str:
        """Run one command to its end; return what it prints."""
        done = run_to_end([*PROGRAM, *arguments], env=self.environment, cwd=self.folder)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def start(self, name: str, **environment: str) -> "subprocess.Popen[bytes]":
        """Start a process; `gpu` and `gpu-2` are two workers of one queue."""
        arguments = EVERYTHING[name.split("-", maxsplit=1)[0]]
        with (self.folder / f"{name}.log").open("ab") as log:
            self.processes[name] = start(
                [*PROGRAM, *arguments], env=self.environment | environment, cwd=self.folder,
                stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            )  # fmt: skip
        return self.processes[name]

    def end(self, name: str, number: signal.Signals = signal.SIGTERM) -> int:
        """Send a signal and wait for the end; return the exit code."""
        process = self.processes.pop(name)
        process.send_signal(number)
        try:
            return process.wait(40)
        finally:
            end(process)

    def log(self, name: str) -> str:
        """Return what a process has logged."""
        return (self.folder / f"{name}.log").read_text()

    def new_client(self, *scopes: str) -> ServiceClient:
        """Return a client with a key of its own."""
        chosen = scopes or ("read", "review", "write", "train", "admin")
        options = [part for scope in chosen for part in ("--scope", scope)]
        key = self.call("keys", "create", "--name", "test", *options).strip()
        self._clients.append(ServiceClient(self.url, key))
        return self._clients[-1]

    def wait_until_ready(self) -> None:
        """Wait until the API takes requests."""
        wait_for(self._is_ready, seconds=60, what=f"the API is ready, see {self.folder}")

    def _is_ready(self) -> bool:
        try:
            return httpx2.get(f"{self.url}/readyz", timeout=2).status_code == 200
        except httpx2.TransportError:
            return False

    def end_all(self) -> None:
        """End every process, however it may be just now; all of them also where one is too slow."""
        with ExitStack() as ending:
            for client in self._clients:
                ending.callback(client.http.close)
            for name, process in self.processes.items():
                ending.callback(self.end, name)
                process.send_signal(signal.SIGCONT)
                process.terminate()


@contextmanager
def running_stack(
    folder: Path, *names: str, database_url: str | None = None, redis_url: str | None = None,
    **environment: str,
) -> Iterator[Stack]:  # fmt: skip
    """Start the processes named, by default one of each; without URLs on SQLite and files."""
    urls = {"LABELAUDIT_DATABASE_URL": database_url, "LABELAUDIT_REDIS_URL": redis_url}
    given = {name: url for name, url in urls.items() if url is not None}
    stack = Stack(folder, given | environment)
    stack.call("db", "upgrade")
    try:
        for name in names or EVERYTHING:
            stack.start(name)
        if "api" in stack.processes:
            stack.wait_until_ready()
        yield stack
    finally:
        stack.end_all()
