"""The HTTP contract as far as the client uses it, in memory."""

import io
import json
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import httpx2
from PIL import Image

CARD = b'{"architecture": "tiny"}'
WEIGHTS = b"safetensors bytes"
KEY = "la_live_test"


@dataclass
class FakeService:
    """Answers requests; a test changes what it needs."""

    findings: list[dict[str, Any]] = field(default_factory=list)
    rejected: list[dict[str, str]] = field(default_factory=list)
    fallbacks: list[str] = field(default_factory=list)
    jobs: list[dict[str, Any]] = field(default_factory=list)
    """Successive answers of the job; the last one stays."""
    page: int = 2
    requests: list[httpx2.Request] = field(default_factory=list)
    uploads: list[bytes] = field(default_factory=list)
    problem: httpx2.Response | None = None
    """Answer to an upload, where it is refused."""

    @property
    def transport(self) -> httpx2.MockTransport:
        return httpx2.MockTransport(self.answer)

    def answer(self, request: httpx2.Request) -> httpx2.Response:
        self.requests.append(request)
        if request.headers.get("Authorization") != f"Bearer {KEY}":
            return problem(401, "unauthenticated", "Send a valid API key.")
        method, path = request.method, request.url.path.removeprefix("/v1")
        if method == "POST" and path in {"/datasets", "/datasets/d0/parts", "/scores"}:
            self.uploads.append(request.read())
            accepted = {"dataset_id": "d1", "job_id": "j1"}
            return self.problem or httpx2.Response(202, json=accepted)
        if method == "POST" and path == "/jobs/j1/cancel":
            return httpx2.Response(202, json={})
        return self._get(path, request.url.params)

    def _get(self, path: str, params: httpx2.QueryParams) -> httpx2.Response:
        if path == "/jobs/j1":
            job = self.jobs.pop(0) if len(self.jobs) > 1 else self.jobs[0]
            return httpx2.Response(200, json=job)
        if path == "/jobs/j1/model":
            body = CARD if params["format"] == "card" else WEIGHTS
            return httpx2.Response(200, content=body)
        if path.startswith("/samples/"):
            image = png() if path == f"/samples/{1:016x}/image" else b"no image at all"
            return httpx2.Response(200, content=image)
        lists = {"/jobs/j1/samples": self.findings, "/datasets/d1/rejected": self.rejected}
        if path in lists:
            return self._page_of(lists[path], params)
        objects = {"/datasets/d1": self.dataset(), "/jobs/j1/report": self.report()}
        if path not in objects:
            return problem(404, "not_found", "There is no such thing.")
        return httpx2.Response(200, json=objects[path])

    def _page_of(self, items: list[Any], params: httpx2.QueryParams) -> httpx2.Response:
        start = int(params.get("cursor", "0"))
        end = start + self.page
        cursor = str(end) if end < len(items) else None
        return httpx2.Response(200, json={"items": items[start:end], "next_cursor": cursor})

    def dataset(self) -> dict[str, Any]:
        return {
            "id": "d1",
            "name": "x",
            "state": "ready",
            "num_samples": len(self.findings),
            "num_rejected": len(self.rejected),
            "num_duplicates": 0,
            "classes": ["cat", "dog"],
            "splits": {"train": len(self.findings)},
            "warnings": ["class dog has 1 sample"],
        }

    def report(self) -> dict[str, Any]:
        return {
            "noise_rate": 0.25,
            "noise_rate_interval": [0.2, 0.3],
            "expected_precision": 0.92,
            "expected_precision_interval": [0.7, 0.99],
            "expected_recall": None if not self.findings else 0.8,
            "expected_recall_interval": [0.4, 1.0],
            "num_samples": len(self.findings),
            "num_flagged": sum(finding["flagged"] for finding in self.findings),
            "num_not_judged": sum(finding["p_mislabeled"] is None for finding in self.findings),
            "num_sure": sum(finding["sure"] for finding in self.findings),
            "fallbacks": self.fallbacks,
            "verdicts": Counter(finding["verdict"] for finding in self.findings),
            "per_class": [{"num_samples": 1}, {"num_samples": 2}],
            "warnings": [],
        }


def problem(status: int, code: str, detail: str) -> httpx2.Response:
    body = {"status": status, "code": code, "detail": detail, "title": "t", "request_id": "r"}
    return httpx2.Response(
        status, content=json.dumps(body), headers={"Content-Type": "application/problem+json"}
    )


def job(state: str, *, stage: str = "train", **changes: Any) -> dict[str, Any]:
    progress = {
        "fraction": 0.5,
        "epoch": 3,
        "epochs": 6,
        "eta_seconds": 61.0,
        "images_per_second": 1234.0,
    }
    standard = {
        "id": "j1",
        "kind": "audit",
        "dataset_id": "d1",
        "state": state,
        "stage": stage,
        "attempt": 1,
        "progress": progress,
        "error": None,
    }
    return standard | changes


def finding(rank: int, **changes: Any) -> dict[str, Any]:
    standard = {
        "sample_id": f"{rank:016x}",
        "path": f"cat/{rank}.png",
        "given_label": "cat",
        "suggested_label": "dog",
        "suggested_confidence": 0.9,
        "p_mislabeled": 1 - rank / 100,
        "flagged": True,
        "sure": False,
        "rank": rank,
        "verdict": "mislabeled",
    }
    return standard | changes


def png() -> bytes:
    file = io.BytesIO()
    Image.new("L", (8, 8), 200).save(file, "PNG")
    return file.getvalue()
