"""Processes that die or freeze: RELIABILITY tests 1 to 4 and 13, in both modes."""

import os
import random
import signal
import time

import pytest

from tests.faults.conftest import Say
from tests.faults.house import LEASE_SECONDS, House, frozen, kill, trainers
from tests.support.waiting import wait_for

pytestmark = pytest.mark.faults


def _resumed_at(house: House, job_id: str) -> list[int]:
    story = house.client.events(job_id).replace(" ", "").split("\n\n")
    lines = [block for block in story if "event:resumed" in block]
    return [int(line.split('"epoch":')[1].split("}")[0].split(",")[0]) for line in lines]


def _published(house: House, job_id: str) -> int:
    return house.client.events(job_id).replace(" ", "").count('"state":"succeeded"')


def test_01_a_killed_trainer_goes_on_from_its_checkpoint(house: House, say: Say) -> None:
    job_id = house.audit()
    house.wait_for_epoch(job_id, 5)
    [trainer] = trainers(job_id)
    kill(trainer)
    killed = time.monotonic()
    wait_for(lambda: house.client.job(job_id)["attempt"] == 2, seconds=90, what="attempt 2")
    back = time.monotonic() - killed
    job = house.assert_ended_as_if_undisturbed(job_id)
    resumed = _resumed_at(house, job_id)
    assert job["attempt"] == 2
    assert resumed[0] >= 4
    say(f"1: running again after {back:.1f} s (90), resumed at epoch {resumed}, results equal")


def test_02_a_killed_worker_leaves_no_orphan_and_its_job_to_the_next(
    house: House, say: Say
) -> None:
    job_id = house.audit()
    house.wait_for_epoch(job_id, 5)
    house.stack.end("gpu", signal.SIGKILL)
    killed = time.monotonic()
    wait_for(lambda: not trainers(job_id), seconds=5, what="the trainer ends too")
    orphan = time.monotonic() - killed
    house.stack.start("gpu")
    wait_for(lambda: house.client.job(job_id)["attempt"] == 2, seconds=90, what="attempt 2")
    back = time.monotonic() - killed
    assert house.assert_ended_as_if_undisturbed(job_id)["lost_attempts"] == 1
    say(f"2: orphan for {orphan:.1f} s (5), running again after {back:.1f} s (90), results equal")


def test_03_ten_random_kills_change_nothing(house: House, say: Say) -> None:
    dice = random.Random(3)  # noqa: S311 - moments to kill at
    job_id = house.audit()
    num_kills = num_workers = 0
    while num_kills < 10:
        found = wait_for(lambda: trainers(job_id), seconds=120, what="a trainer", every=0.1)
        time.sleep(dice.uniform(0.2, 6.0))
        if dice.random() < 0.3:
            house.stack.end("gpu", signal.SIGKILL)
            house.stack.start("gpu")
            num_workers += 1
        else:
            kill(found[0])
        num_kills += 1
        if house.client.job(job_id)["state"] == "succeeded":
            break
    job = house.assert_ended_as_if_undisturbed(job_id, seconds=400)
    assert _published(house, job_id) == 1
    # Attempts that ended badly are still being removed: unlike rglob, walk bears that.
    names = [name for _, _, files in os.walk(house.stack.data_dir) for name in files]
    assert [name for name in names if name.endswith((".tmp", ".part"))] == []
    say(
        f"3: {num_kills} SIGKILLs ({num_workers} of workers), {job['attempt']} attempts, "
        "results equal, published once, nothing stray"
    )


def test_04_an_overtaken_attempt_is_fenced_off(house: House, say: Say) -> None:
    job_id = house.audit()
    house.wait_for_epoch(job_id, 5)
    [trainer] = trainers(job_id)
    stopped = time.monotonic()
    with frozen(house.stack.processes["gpu"].pid, trainer):
        house.stack.start("gpu-2")
        wait_for(lambda: house.client.job(job_id)["attempt"] == 2, seconds=90, what="a take-over")
        time.sleep(max(0.0, 2 * LEASE_SECONDS - (time.monotonic() - stopped)))
    thawed = time.monotonic()
    wait_for(lambda: trainer not in trainers(job_id), seconds=15, what="the old trainer ends")
    gone = time.monotonic() - thawed
    wait_for(lambda: "fenced" in house.stack.log("gpu"), seconds=15, what="its writes are refused")
    house.assert_ended_as_if_undisturbed(job_id)
    assert _published(house, job_id) == 1
    house.stack.end("gpu-2")
    say(
        f"4: frozen for {thawed - stopped:.0f} s and overtaken: the old attempt was refused and "
        f"gone after {gone:.1f} s (15), results equal"
    )


def test_13_a_training_that_always_dies_fails_and_holds_nobody_up(house: House, say: Say) -> None:
    for name in ("gpu", "sweeper"):
        house.stack.end(name)
        house.stack.start(name, LABELAUDIT_MAX_ATTEMPTS="3")
    doomed, other = house.audit(epochs=500), house.audit(epochs=3)
    attempts = 0
    while house.client.job(doomed)["state"] != "failed":
        for pid in trainers(doomed):
            kill(pid)
            attempts += 1
        time.sleep(0.1)
        assert attempts < 50
    job = house.client.job(doomed)
    assert (job["attempt"], job["error"]["code"]) == (3, "worker_lost")
    assert house.client.wait(other)["state"] == "succeeded"
    time.sleep(5 * LEASE_SECONDS)
    assert house.client.job(doomed)["attempt"] == 3
    for name in ("gpu", "sweeper"):
        house.stack.end(name)
    say(f"13: failed with worker_lost after 3 attempts, none in the next {5 * LEASE_SECONDS:g} s")
