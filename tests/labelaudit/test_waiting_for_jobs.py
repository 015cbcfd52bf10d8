from pathlib import Path
from typing import cast

import httpx2
import pytest

from labelaudit.client import Client
from labelaudit.client._sync import api
from labelaudit.display import describe
from labelaudit.errors import ApiError, ServiceError
from labelaudit.schemas import Job
from tests.labelaudit.fake_service import KEY, FakeService, job, problem


@pytest.fixture(autouse=True)
def _without_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api, "POLL_SECONDS", 0.01)


def flaky(service: FakeService, failures: list[httpx2.Response]) -> Client:
    def answer(request: httpx2.Request) -> httpx2.Response:
        return failures.pop() if failures else service.answer(request)

    return Client("http://x", KEY, retries=0, transport=httpx2.MockTransport(answer))


def test_a_service_that_is_away_for_a_moment_is_asked_again() -> None:
    service = FakeService(jobs=[job("running"), job("succeeded")])
    client = flaky(service, [problem(503, "busy", "Later."), problem(429, "slow_down", "Later.")])
    seen: list[str] = []
    with client:
        done = client.wait("j1", on_progress=lambda now: seen.append(now["state"]))
    assert done["state"] == "succeeded"
    assert seen == ["running", "succeeded"]


def test_speed_and_end_that_are_not_known_yet_are_left_out() -> None:
    progress = {"fraction": 0.1, "epoch": 1, "epochs": 6}
    unknown = {"eta_seconds": None, "images_per_second": None}
    running = cast("Job", job("running", progress=progress | unknown))
    assert describe(running) == "epoch 1/6"


def test_a_service_that_stays_away_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api, "SILENCE_SECONDS", 0.05)
    service = FakeService(jobs=[job("succeeded")])
    client = flaky(service, [problem(503, "busy", "Later.")] * 200)
    with client, pytest.raises(ApiError):
        client.wait("j1")


def test_a_job_that_is_gone_is_no_reason_to_wait() -> None:
    client = flaky(FakeService(), [problem(404, "not_found", "No such job.")])
    with client, pytest.raises(ApiError, match="No such job"):
        client.wait("j1")


def test_a_job_that_somebody_else_cancelled_is_no_success() -> None:
    client = flaky(FakeService(jobs=[job("cancelled")]), [])
    with client, pytest.raises(ServiceError) as caught:
        client.wait("j1")
    assert (caught.value.code, caught.value.exit_code) == ("cancelled", 1)


def test_a_prediction_waits_through_a_moment_without_answer(tmp_path: Path) -> None:
    (tmp_path / "cat.png").write_bytes(b"pixels")
    replies = {
        "/v1/jobs/a1/predict": [httpx2.Response(202, json={"job_id": "j1"})],
        "/v1/jobs/j1": [
            httpx2.Response(200, json=job("running")),
            problem(503, "busy", "Later."),
            httpx2.Response(200, json=job("succeeded")),
        ],
        "/v1/jobs/j1/predictions": [httpx2.Response(200, json={"items": []})],
    }
    transport = httpx2.MockTransport(lambda request: replies[request.url.path].pop(0))
    with Client("http://x", KEY, retries=0, transport=transport) as client:
        assert client.predict("a1", [tmp_path / "cat.png"])["items"] == []
