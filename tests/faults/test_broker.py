"""Wake-ups that are lost, doubled or late: RELIABILITY tests 5 to 7."""

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import datetime

import pytest
import redis

from app.core.queue import WakeUps, make_celery
from app.core.settings import Settings
from tests.faults.conftest import Say
from tests.faults.house import LEASE_SECONDS, House, frozen, trainers
from tests.support.processes import started
from tests.support.waiting import wait_for

pytestmark = pytest.mark.faults
_VISIBILITY_SECONDS = 5
_BUSY_SECONDS = 250.0
"""Of test 5, whatever the lease: Redis looks for what to deliver again every 100 s only."""
_FORGETFUL_WORKER = f"""
import app.core.queue as queue
queue._REDIS_OPTIONS["visibility_timeout"] = {_VISIBILITY_SECONDS}
from labelaudit.cli import app
app(["worker", "--queue", "gpu"])
"""
"""A worker whose broker takes whatever was not acknowledged within 5 s for lost."""


def _wake_ups(house: House) -> WakeUps:
    url = house.redis.url if house.mode == "server" else None
    settings = {"redis_url": url, "data_dir": house.stack.data_dir}
    return WakeUps(make_celery(Settings.model_validate(settings)))


def _num_messages(house: House) -> int:
    if house.mode == "embedded":
        return len(list((house.stack.data_dir / "broker" / "messages").iterdir()))
    with redis.Redis.from_url(house.redis.url) as client:
        return int(client.llen("gpu"))


def _empty_broker(house: House) -> None:
    if house.mode == "server":
        with redis.Redis.from_url(house.redis.url) as client:
            client.flushall()
        return
    for message in (house.stack.data_dir / "broker" / "messages").iterdir():
        message.unlink(missing_ok=True)


@contextmanager
def _forgetful_worker(house: House, name: str) -> Iterator[None]:
    with (
        (house.stack.folder / f"{name}.log").open("ab") as log,
        started(
            [sys.executable, "-c", _FORGETFUL_WORKER], env=house.stack.environment,
            stdin=subprocess.DEVNULL, stdout=log, stderr=log,
        ) as process,
    ):  # fmt: skip
        yield
        process.terminate()
        process.wait(40)


def test_05_no_delivery_of_the_broker_starts_a_job_twice(house: House, say: Say) -> None:
    if house.mode == "embedded":
        pytest.skip("files know no visibility timeout")
    assert house.clean()
    house.stack.end("gpu")
    with ExitStack() as workers:
        for name in ("forgetful-1", "forgetful-2"):
            workers.enter_context(_forgetful_worker(house, name))
        jobs = [house.audit() for _ in range(3)]
        pids = wait_for(
            lambda: [pid for job in jobs[:2] for pid in trainers(job)][:2]
            if all(trainers(job) for job in jobs[:2]) else None,
            seconds=120, what="two of them run",
        )  # fmt: skip
        with frozen(*pids):  # their workers keep the leases, and the cores are free
            wake_ups = _wake_ups(house)
            for _ in range(6):
                wake_ups.wake("gpu")
            time.sleep(_BUSY_SECONDS)
            waiting = house.client.job(jobs[2])
        assert (waiting["state"], waiting["attempt"]) == ("queued", 0)
        ended = [house.assert_ended_as_if_undisturbed(job_id) for job_id in jobs]
        assert [job["attempt"] for job in ended] == [1] * 3
        wait_for(lambda: _num_messages(house) == 0, seconds=60, what="all messages are consumed")
        logs = house.stack.log("forgetful-1") + house.stack.log("forgetful-2")
        num_dropped = logs.count("nothing_to_claim")
    assert num_dropped >= 1
    say(
        f"5: visibility {_VISIBILITY_SECONDS} s, two jobs busy and one behind them for "
        f"{_BUSY_SECONDS:g} s: one attempt each, {num_dropped} deliveries logged and dropped"
    )


def test_06_a_message_sent_20_times_starts_one_attempt(house: House, say: Say) -> None:
    job_id = house.audit()
    wait_for(lambda: trainers(job_id), seconds=60, what="the job runs")
    wake_ups = _wake_ups(house)
    for _ in range(20):
        wake_ups.wake("gpu")
    assert house.assert_ended_as_if_undisturbed(job_id)["attempt"] == 1
    wait_for(lambda: _num_messages(house) == 0, seconds=60, what="all messages are consumed")
    say("6: 20 messages at once: one attempt, all consumed")


def test_07_an_emptied_broker_loses_no_job(house: House, say: Say) -> None:
    jobs = [house.audit(epochs=20) for _ in range(6)]
    house.wait_for_epoch(jobs[0], 1)
    _empty_broker(house)
    flushed = time.monotonic()
    ended = [house.client.wait(job_id, seconds=400) for job_id in jobs]
    took = time.monotonic() - flushed
    assert [(job["state"], job["attempt"]) for job in ended] == [("succeeded", 1)] * 6
    work = sum(_seconds(job["started_at"], job["finished_at"]) for job in ended)
    assert took < work + 90
    say(
        f"7: broker emptied with 5 queued and 1 running: all done after {took:.0f} s, of which "
        f"{work:.0f} s of work (90 more allowed; lease {LEASE_SECONDS:g} s)"
    )


def _seconds(start: str, end: str) -> float:
    return (datetime.fromisoformat(end) - datetime.fromisoformat(start)).total_seconds()
