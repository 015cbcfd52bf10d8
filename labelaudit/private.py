"""A service for one command: started, used and removed."""

import os
import subprocess
import sys
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from labelaudit.errors import EXIT_OURS, LabelAuditError, ServiceError
from labelaudit.parent import PARENT_PID_VARIABLE
from labelaudit.serve import KEY_NAME, LOCK_NAME
from labelaudit.terminal import note

_START_SECONDS = 120
_STOP_SECONDS = 35
_TAIL_LINES = 20
# What would tie a private service to somebody's real one.
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


@dataclass(frozen=True, slots=True)
class PrivateService:
    """Where it is and what opens it."""

    url: str
    key: str
    process: "subprocess.Popen[bytes]"

    def check(self) -> None:
        """Make sure that it still runs."""
        if self.process.poll() is not None:
            raise ServiceError("the private service ended by itself", code="service_ended")


@contextmanager
def private_service(folder: Path) -> Iterator[PrivateService]:
    """Run a service whose data lie in `folder`; where it fails, show the end of its log."""
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
        note("the service's last words:")
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
