"""Ends that are asked for: RELIABILITY tests 11 and 12, in both modes."""

import time

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
