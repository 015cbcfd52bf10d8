"""The real program, `labelaudit serve`, as a process."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx2

from tests.support.client import ServiceClient
from tests.support.ports import free_port
from tests.support.processes import end, start
from tests.support.waiting import wait_for


class Service(ServiceClient):
    """A running service and a client that has its key."""

    def __init__(self, process: "subprocess.Popen[bytes]", url: str, data_dir: Path) -> None:
        super().__init__(url, (data_dir / "api-key").read_text().strip())
        self.process = process
        self.data_dir = data_dir


@contextmanager
def running_service(folder: Path, **environment: str) -> Iterator[Service]:
    """Start the program in `folder` and stop it again; it must end within 30 seconds."""
    port, data_dir, log = free_port(), folder / "labelaudit-data", folder / "serve.log"
    with log.open("wb") as output:
        process = start(
            [sys.executable, "-P", "-m", "labelaudit", "serve", "--port", port],
            cwd=folder, stdout=output, stderr=output, env=os.environ | environment,
        )  # fmt: skip
    url = f"http://127.0.0.1:{port}"
    try:
        wait_for(lambda: _is_ready(url, process), seconds=60, what=f"serve is ready, see {log}")
        service = Service(process, url, data_dir)
        with service.http:
            yield service
    finally:
        process.terminate()
        try:
            process.wait(30)
        finally:
            end(process)


def _is_ready(url: str, process: "subprocess.Popen[bytes]") -> bool:
    if process.poll() is not None:
        raise AssertionError(f"serve ended with {process.returncode}")
    try:
        return httpx2.get(f"{url}/readyz", timeout=2).status_code == 200
    except httpx2.TransportError:
        return False
