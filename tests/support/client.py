"""What tests ask a running service."""

from pathlib import Path
from typing import Any

import httpx2

from tests.support.waiting import wait_for

FINAL = {"succeeded", "failed", "cancelled"}


class ServiceClient:
    """A client that has a key."""

    def __init__(self, url: str, key: str) -> None:
        self.url, self.key = url, key
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
