"""`labelaudit serve`: the whole service on one machine, each part its own process."""
# ruff: noqa: PLC0415 - the service's code loads only for the commands that need it

import ctypes
import fcntl
import gc
import http.client
import os
import signal
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from labelaudit.administration import (
    ensure_key_file,
    ensure_tenant,
    load_settings,
    upgrade_database,
)
from labelaudit.errors import InputError
from labelaudit.extras import require_worker
from labelaudit.supervisor import PARENT_PID_VARIABLE, Program, StopRequests, Supervisor
from labelaudit.terminal import note, say

if TYPE_CHECKING:
    from app.core.settings import Settings

LOCK_NAME = "serve.lock"
KEY_NAME = "api-key"
_GRACEFUL_SECONDS = 10
_PROBE_SECONDS = 1.0
_M_ARENA_MAX = -8  # malloc.h
_NUM_ARENAS = 2


def serve(host: str | None, port: int | None, data_dir: Path | None) -> None:
    """Run the service until it is asked to end."""
    settings = load_settings(host=host, port=port, data_dir=data_dir)
    if settings.auth == "off" and not settings.on_loopback:
        raise InputError(
            f"LABELAUDIT_AUTH=off would open the service to everyone who reaches {settings.host}",
            code="auth_needed",
            hint="leave it on, or serve on 127.0.0.1",
        )
    require_worker()
    stop_requests = StopRequests()
    settings.data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    with only_one_serve(settings.data_dir) as lock, _listen(settings) as listener:
        _prepare(settings)
        bound_port: int = listener.getsockname()[1]
        bound = settings.model_copy(update={"port": bound_port})
        announcer = _Announcer(bound, lock)
        programs = _programs(bound, listener.fileno())
        Supervisor(programs, _child_environ(bound), stop_requests).run(announcer.look)
        note("stopped")


def run_api(host: str | None, port: int | None, listener: int | None) -> None:
    """Run the HTTP front end, on an open socket where one is handed over."""
    import uvicorn

    from app.core.logging import configure_logging
    from app.http.patience import MAX_HEAD_BYTES, PatientProtocol
    from app.main import create_app

    _share_arenas()
    settings = load_settings(host=host, port=port)
    configure_logging(settings)
    app = create_app(settings)
    _keep_for_good()
    config = uvicorn.Config(
        app,
        host=settings.host,
        port=settings.port,
        log_level="warning",
        access_log=False,
        timeout_graceful_shutdown=_GRACEFUL_SECONDS,
        http=PatientProtocol,
        h11_max_incomplete_event_size=MAX_HEAD_BYTES,
    )
    # After its graceful end uvicorn raises the signal again: that is then no failure.
    signal.signal(signal.SIGTERM, lambda _number, _frame: sys.exit(0))
    sockets = None if listener is None else [socket.socket(fileno=listener)]
    uvicorn.Server(config).run(sockets=sockets)


def _share_arenas() -> None:
    """Let threads share two arenas of memory: glibc gives each thread its own, which grow.

    What `MALLOC_ARENA_MAX=2` does, which would have to be set before the program starts. Elsewhere
    than on glibc nothing happens.
    """
    with suppress(AttributeError, OSError):
        ctypes.CDLL(None).mallopt(_M_ARENA_MAX, _NUM_ARENAS)


def _keep_for_good() -> None:
    """Spare the garbage collector what stays as long as the process: modules, routes and schemas.

    It then goes through nothing but what requests leave behind, and so sooner: less of it piles up
    in between.
    """
    gc.collect()
    gc.freeze()


@contextmanager
def only_one_serve(folder: Path) -> Iterator[Path]:
    """Hold the folder's lock; yield the lock file, which names the URL of a ready service."""
    path = folder / LOCK_NAME
    with path.open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            url = path.read_text().strip()
            where = f" at {url}" if url else ""
            raise InputError(
                f"another `labelaudit serve`{where} uses {folder}",
                code="data_dir_in_use",
                hint="stop it, or choose another folder with --data-dir",
            ) from error
        file.truncate(0)
        try:
            yield path
        finally:
            file.truncate(0)


@contextmanager
def _listen(settings: "Settings") -> Iterator[socket.socket]:
    """Listen on the port here, so that callers wait while the API process restarts."""
    try:
        addresses = socket.getaddrinfo(settings.host, settings.port, type=socket.SOCK_STREAM)
        family, kind, protocol, _, address = min(
            addresses, key=lambda found: found[0] != socket.AF_INET
        )
        listener = socket.socket(family, kind, protocol)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(1024)
    except OSError as error:
        raise InputError(
            f"cannot listen on {settings.host} port {settings.port}: {error.strerror or error}",
            code="port_taken",
            hint="choose another port with --port",
        ) from error
    with listener:
        yield listener


def _prepare(settings: "Settings") -> None:
    """Bring the database up to date and make the first key."""
    upgrade_database(settings)
    if settings.on_loopback:
        ensure_key_file(settings, settings.data_dir / KEY_NAME)
    else:
        ensure_tenant(settings)


def _programs(settings: "Settings", listener: int) -> list[Program]:
    # -P: Python must not import a folder `app` or `worker` of the user's.
    python = (sys.executable, "-P", "-m", "labelaudit")
    api = (*python, "api", "--host", settings.host, "--port", str(settings.port))
    return [
        Program("api", (*api, "--listener", str(listener)), pass_fds=(listener,)),
        Program("worker for training", (*python, "worker", "--queue", "gpu")),
        Program("worker for short jobs", (*python, "worker", "--queue", "cpu")),
        Program("sweeper", (*python, "sweeper")),
    ]


def _child_environ(settings: "Settings") -> dict[str, str]:
    return os.environ | {
        "LABELAUDIT_DATA_DIR": str(settings.data_dir.resolve()),
        "LABELAUDIT_HOST": settings.host,
        "LABELAUDIT_PORT": str(settings.port),
        PARENT_PID_VARIABLE: str(os.getpid()),
    }


class _Announcer:
    """Prints the URL of the service when it answers."""

    def __init__(self, settings: "Settings", lock: Path) -> None:
        self._settings = settings
        self._lock = lock
        self._announced = False
        self._next = 0.0

    def look(self) -> None:
        """Print the URL if the service is ready; called often."""
        if self._announced or time.monotonic() < self._next:
            return
        if self._is_ready():
            self._announce()
        self._next = time.monotonic() + 0.2

    def _is_ready(self) -> bool:
        settings = self._settings
        connection = http.client.HTTPConnection(
            settings.host, settings.port, timeout=_PROBE_SECONDS
        )
        try:
            connection.request("GET", "/readyz")
            return connection.getresponse().status == http.HTTPStatus.OK
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()

    def _announce(self) -> None:
        settings = self._settings
        host = f"[{settings.host}]" if ":" in settings.host else settings.host
        url = f"http://{host}:{settings.port}"
        self._announced = True
        self._lock.write_text(url + "\n")
        say(f"Label Audit is ready at {url}")
        say(f"  API docs  {url}/docs")
        say(f"  API key   {self._where_keys_are()}")
        say("Ctrl-C stops it.")

    def _where_keys_are(self) -> str:
        settings = self._settings
        if settings.auth == "off":
            return "none needed (LABELAUDIT_AUTH=off)"
        if settings.on_loopback:
            return f"in {settings.data_dir / KEY_NAME}"
        return f"make one: labelaudit keys create (with LABELAUDIT_DATA_DIR={settings.data_dir})"
