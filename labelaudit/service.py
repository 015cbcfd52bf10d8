"""The service that a command uses: a running one, or a private one that it starts and removes."""

import os
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from labelaudit.client import Client
from labelaudit.display import job_progress
from labelaudit.errors import EXIT_OURS, InputError, LabelAuditError, ServiceError
from labelaudit.extras import require_worker
from labelaudit.schemas import Job
from labelaudit.serve import KEY_NAME, LOCK_NAME
from labelaudit.supervisor import PARENT_PID_VARIABLE
from labelaudit.terminal import note

_START_SECONDS = 120
_STOP_SECONDS = 35
_TAIL_LINES = 20
# Settings of the user's own service, which a private one must not share.
_NOT_INHERITED = frozenset(
    f"LABELAUDIT_{name}"
    for name in (
        "DATA_DIR",
        "DATABASE_URL",
        "REDIS_URL",
        "STORE_URL",
        "SECRET",
        "HOST",
        "PORT",
        "AUTH",
    )
)
KEY_VARIABLE = "LABELAUDIT_API_KEY"


@dataclass(frozen=True, slots=True)
class PrivateService:
    """URL, key and process of a private service."""

    url: str
    key: str
    process: "subprocess.Popen[bytes]"

    def check(self) -> None:
        """Raise if the service has ended."""
        if self.process.poll() is not None:
            raise ServiceError("the private service ended by itself", code="service_ended")


@contextmanager
def private_service(folder: Path) -> Iterator[PrivateService]:
    """Run a service with its data in `folder`; if it fails, show the end of its log."""
    data, log = folder / "service", folder / "service.log"
    process = _start(data, log)
    try:
        url = _wait_for_url(process, data / LOCK_NAME)
        yield PrivateService(url, (data / KEY_NAME).read_text().strip(), process)
    except LabelAuditError as error:
        if error.exit_code == EXIT_OURS and error.code != "cancelled":
            _show_end(log)
        raise
    finally:
        _stop(process)


def _start(data: Path, log: Path) -> "subprocess.Popen[bytes]":
    environ = {name: value for name, value in os.environ.items() if name not in _NOT_INHERITED}
    arguments = ("serve", "--host", "127.0.0.1", "--port", "0", "--data-dir", str(data))
    with log.open("wb") as output:
        return subprocess.Popen(
            [sys.executable, "-P", "-m", "labelaudit", *arguments],
            env=environ | {PARENT_PID_VARIABLE: str(os.getpid())},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # Ctrl-C is ours to handle: the job is cancelled first
        )


def _wait_for_url(process: "subprocess.Popen[bytes]", lock: Path) -> str:
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        text = lock.read_text() if lock.exists() else ""
        if text.endswith("\n"):
            return text.strip()
        time.sleep(0.1)
    raise ServiceError("the private service did not start", code="service_not_started")


def _show_end(log: Path) -> None:
    with log.open(encoding="utf-8", errors="replace") as lines:
        last = deque(lines, maxlen=_TAIL_LINES)
    if last:
        note("the end of the service's log:")
    for line in last:
        note(f"  {line.rstrip()}")


def _stop(process: "subprocess.Popen[bytes]") -> None:
    process.terminate()
    try:
        process.wait(_STOP_SECONDS)
    except (subprocess.TimeoutExpired, KeyboardInterrupt):
        process.terminate()  # a second request ends all at once
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@dataclass(frozen=True, slots=True)
class Service:
    """The service of a command, running elsewhere or private."""

    client: Client
    check: Callable[[], None]
    """Raises when the service has ended for good."""


def check_source(source: Path) -> None:
    """Raise if the file or folder to send cannot be read."""
    if not source.exists():
        raise InputError(f"no such file or folder: {str(source)!r}", code="not_found")
    if not (source.is_dir() or source.is_file()):
        raise InputError(f"{source} is neither a file nor a folder", code="not_a_file")
    if not os.access(source, os.R_OK):
        raise InputError(f"{source} cannot be read", code="not_readable")


def check_service(url: str | None) -> None:
    """Raise if neither the service at `url` nor a private one can be used."""
    if url is None:
        require_worker()
    elif not os.environ.get(KEY_VARIABLE, "").strip():
        hint = f"set it to a key of {url}; `labelaudit keys create` there makes one"
        raise InputError(f"{KEY_VARIABLE} is not set", code="key_missing", hint=hint)


def make_out(out: Path) -> None:
    """Make the folder of the results now, so that the audit does not fail at its end."""
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        detail = f"cannot make the folder {out}: {error.strerror}"
        raise InputError(detail, code="out_not_writable", hint="choose another --out") from error
    if not os.access(out, os.W_OK):
        raise InputError(f"cannot write into {out}", code="out_not_writable")


@contextmanager
def stopped_by_ctrl_c() -> Iterator[None]:
    """Raise ServiceError for Ctrl-C."""
    try:
        yield
    except KeyboardInterrupt as interrupt:
        raise ServiceError("stopped before the end", code="cancelled") from interrupt


@contextmanager
def connect(url: str | None, work: Path) -> Iterator[Service]:
    """Yield the service at `url`, or else a private one with its data in `work`."""
    if url is not None:
        with Client(url, os.environ[KEY_VARIABLE], retries=0) as client:
            yield Service(client, check=lambda: None)
        return
    note("starting a private service")
    with private_service(work) as private, Client(private.url, private.key, retries=0) as client:
        yield Service(client, check=private.check)


def follow(service: Service, job_id: str) -> Job:
    """Show a job until it has succeeded; Ctrl-C cancels it."""
    note(f"job {job_id}")
    try:
        with job_progress() as show:
            return service.client.wait(job_id, on_progress=show, check=service.check)
    except KeyboardInterrupt:
        note("cancelling the job")
        with suppress(LabelAuditError):  # it may have ended meanwhile
            service.client.cancel(job_id)
        raise
