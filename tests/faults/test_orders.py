"""What is asked for: RELIABILITY tests 11, 12 and 16, in both modes."""

import time
from concurrent.futures import ThreadPoolExecutor

import httpx2
import pytest

from tests.faults.conftest import Say
from tests.faults.house import House, trainers
from tests.support.waiting import wait_for

pytestmark = pytest.mark.faults


def _state(house: House, job_id: str) -> str:
    state: str = house.client.job(job_id)["state"]
    return state


def test_11_sigterm_gives_the_job_back_unharmed(house: House, say: Say) -> None:
    job_id = house.audit()
    house.wait_for_epoch(job_id, 5)
    asked = time.monotonic()
    assert house.stack.end("gpu") == 0
    took = time.monotonic() - asked
    job = house.client.job(job_id)
    assert (job["state"], job["lost_attempts"]) == ("queued", 0)
    assert took < 30
    house.stack.start("gpu")
    assert house.assert_ended_as_if_undisturbed(job_id)["lost_attempts"] == 0
    say(f"11: exit 0 after {took:.1f} s (30), queued, no attempt used up, results equal")


def test_12_cancel_ends_a_running_job_and_leaves_nothing(house: House, say: Say) -> None:
    job_id = house.audit(epochs=5000)
    house.wait_for_epoch(job_id, 3)
    asked = time.monotonic()
    assert house.client.http.post(f"/v1/jobs/{job_id}/cancel").status_code == 202
    wait_for(lambda: _state(house, job_id) == "cancelled", seconds=20, what="it is cancelled")
    took = time.monotonic() - asked
    assert trainers(job_id) == []
    reply = house.client.http.get(f"/v1/jobs/{job_id}/samples")
    assert (reply.status_code, reply.json()["code"]) == (409, "not_finished")
    say(f"12: cancelled after {took:.1f} s (20), no process and no result left")


def test_12_a_cancelled_job_stays_cancelled_when_all_workers_start_anew(
    house: House, say: Say
) -> None:
    running, waiting = house.audit(epochs=5000), house.audit()
    house.wait_for_epoch(running, 3)
    for name in ("gpu", "sweeper"):
        house.stack.end(name)
    for job_id in (running, waiting):
        assert house.client.http.post(f"/v1/jobs/{job_id}/cancel").status_code == 202
    for name in ("gpu", "sweeper"):
        house.stack.start(name)
    for job_id in (running, waiting):
        assert house.client.wait(job_id, seconds=60)["state"] == "cancelled"
    time.sleep(3)
    assert house.client.job(waiting)["attempt"] == 0
    assert trainers(running) == []
    say("12: cancel holds after a restart of all workers; the queued job never started")


def test_16_a_request_sent_200_times_at_once_makes_one_job(house: House, say: Say) -> None:
    body = {"dataset_id": house.dataset_id, "epochs": 1}
    headers = {"Idempotency-Key": f"key-{time.time_ns()}"}

    def post(_number: int = 0, **options: object) -> httpx2.Response:
        return house.client.http.post("/v1/jobs", json=body | options, headers=headers)

    def num_jobs() -> int:
        return len(house.client.http.get("/v1/jobs", params={"limit": 200}).json()["items"])

    num_before = num_jobs()
    with ThreadPoolExecutor(20) as crowd:
        replies = list(crowd.map(post, range(200)))
    taken = [reply for reply in replies if reply.status_code == 202]
    twins = [reply for reply in replies if reply.status_code != 202]
    assert {reply.json()["code"] for reply in twins} <= {"idempotency_in_flight"}
    assert all(int(reply.headers["Retry-After"]) >= 1 for reply in twins)
    [job_id] = {reply.json()["job_id"] for reply in [*taken, post()]}
    assert num_jobs() == num_before + 1
    assert post(seed=99).json()["code"] == "idempotency_mismatch"
    house.stack.end("api")
    house.restore()
    assert post().json()["job_id"] == job_id
    say(
        f"16: 200 requests with one key: one job, {len(twins)} told that a twin is in flight; "
        "another body 422; the same reply after a restart"
    )
