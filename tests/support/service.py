"""The real program, `labelaudit serve`, as a process."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2

from tests.support.ports import free_port
from tests.support.waiting import wait_for

FINAL = {"succeeded", "failed", "cancelled"}


class Service:
    """A running service and a client that has its key."""

    def __init__(self, process: "subprocess.Popen[bytes]", url: str, data_dir: Path) -> None:
        self.process = process
        self.url = url
        self.data_dir = data_dir
        key = (data_dir / "api-key").read_text().strip()
        self.http = httpx2.Client(
            base_url=url, headers={"Authorization": f"Bearer {key}"}, timeout=30
        )

    def upload(self, archive: Path, **fields: str) -> httpx2.Response:
        with archive.open("rb") as file:
            return self.http.post("/v1/datasets", files={"file": file}, data=fields)

    def job(self, job_id: str) -> dict[str, Any]:
        answer: dict[str, Any] = self.http.get(f"/v1/jobs/{job_id}").raise_for_status().json()
        return answer

    def wait(self, job_id: str, *, seconds: float = 180) -> dict[str, Any]:
        """Return the job once it has ended."""

        def ended() -> dict[str, Any] | None:
            job = self.job(job_id)
            return job if job["state"] in FINAL else None

        return wait_for(ended, seconds=seconds, what=f"job {job_id} ends", every=0.2)

    def events(self, job_id: str) -> str:
        return self.http.get(f"/v1/jobs/{job_id}/events").raise_for_status().text

    def findings(self, job_id: str, **query: Any) -> list[dict[str, Any]]:
        """Walk all pages."""
        items: list[dict[str, Any]] = []
        cursor: str | None = None
        while True:
            page = self.http.get(
                f"/v1/jobs/{job_id}/samples",
                params=query | ({"cursor": cursor} if cursor else {}),
            )
            page.raise_for_status()
            items += page.json()["items"]
            cursor = page.json()["next_cursor"]
            if cursor is None:
                return items


@contextmanager
def running_service(folder: Path, **environment: str) -> Iterator[Service]:
    """Start the program in `folder` and stop it again; it must end within 30 seconds."""
    port, data_dir, log = free_port(), folder / "labelaudit-data", folder / "serve.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "labelaudit", "serve", "--port", str(port)],
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
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise


def _is_ready(url: str, process: "subprocess.Popen[bytes]") -> bool:
    if process.poll() is not None:
        raise AssertionError(f"serve ended with {process.returncode}")
    try:
        return httpx2.get(f"{url}/readyz", timeout=2).status_code == 200
    except httpx2.TransportError:
        return False
