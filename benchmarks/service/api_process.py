"""The API process alone: what is queued stays queued, no training takes the cores."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx2

from tests.support.ports import free_port
from tests.support.waiting import wait_for


@contextmanager
def running_api(log: Path, **settings: str) -> Iterator[str]:
    """Start it under these settings, with its output in `log`; yield its address."""
    port = free_port()
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "labelaudit", "api", "--host", "127.0.0.1",
             "--port", str(port)],
            stdout=output, stderr=output, env=os.environ | settings,
        )  # fmt: skip
    url = f"http://127.0.0.1:{port}"
    try:
        wait_for(lambda: answers(url), seconds=60, what="the API starts")
        yield url
    finally:
        process.terminate()
        process.wait(30)


def answers(url: str) -> bool:
    """Tell whether a process takes requests at an address."""
    try:
        return httpx2.get(f"{url}/readyz", timeout=2).is_success
    except httpx2.TransportError:
        return False
