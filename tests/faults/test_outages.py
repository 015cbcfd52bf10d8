"""Servers that are away: RELIABILITY tests 8 to 11, in server mode.

Times are those of the tests' lease, which is a fifth of the real one unless
`FAULTS_LEASE_SECONDS=60` is set.
"""

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import httpx2
import numpy as np
import pytest

from tests.faults.conftest import Say
from tests.faults.house import LEASE_SECONDS, LONG_EPOCHS, House, frozen, open_house, trainers
from tests.support.processes import children_of
from tests.support.servers import Server
from tests.support.waiting import wait_for

pytestmark = pytest.mark.faults
_NUM_SCORES = 20
_REDIS_AWAY_SECONDS = 60.0
_ALONE_SECONDS = 2.0
"""How long a training runs on without a database before it is held still."""


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with open_house(tmp_path_factory.mktemp("server"), "server") as opened:
        yield opened


@pytest.fixture
def house(served: House) -> House:
    served.restore()
    return served


def _signal_all(postgres: Server, number: signal.Signals) -> None:
    for pid in (postgres.process.pid, *children_of(postgres.process.pid)):
        os.kill(pid, number)


def _attempts(house: House, job_ids: list[str]) -> list[int]:
    return [house.client.wait(job_id, seconds=400)["attempt"] for job_id in job_ids]


def _post_scores(house: House, file: Path) -> httpx2.Response:
    with file.open("rb") as content:
        return house.client.http.post("/v1/scores", files={"file": content})


def _write_scores(target: Path) -> Path:
    generator = np.random.default_rng(0)
    np.savez(
        target,
        pred_probs=generator.dirichlet(np.ones(3), size=60),
        given_label=generator.integers(0, 3, 60),
    )
    return target


def _readiness(house: House) -> tuple[int, str]:
    reply = house.client.http.get("/readyz")
    return reply.status_code, reply.json()["status"]


def test_08_jobs_are_taken_while_redis_is_dead(house: House, tmp_path: Path, say: Say) -> None:
    file = _write_scores(tmp_path / "scores.npz")
    workers = {name: house.stack.processes[name].pid for name in ("gpu", "cpu", "sweeper")}
    house.redis.stop(signal.SIGKILL)
    stopped, jobs, slowest = time.monotonic(), [], 0.0
    for _ in range(_NUM_SCORES):
        before = time.monotonic()
        reply = _post_scores(house, file)
        slowest = max(slowest, time.monotonic() - before)
        assert reply.status_code == 202, reply.text
        jobs.append(reply.json()["job_id"])
    wait_for(  # what the last look saw holds for a second
        lambda: _readiness(house) == (200, "degraded"), seconds=3, what="/readyz is degraded"
    )
    time.sleep(max(0.0, _REDIS_AWAY_SECONDS - (time.monotonic() - stopped)))
    house.redis.start()
    assert _attempts(house, jobs) == [1] * _NUM_SCORES
    assert workers == {name: house.stack.processes[name].pid for name in workers}
    say(
        f"8: Redis dead for {_REDIS_AWAY_SECONDS:g} s, {_NUM_SCORES} POSTs all 202 (slowest "
        f"{slowest:.1f} s), /readyz degraded, each job ran once, workers not restarted"
    )


def test_09_a_short_absence_of_the_database_costs_no_attempt(house: House, say: Say) -> None:
    away = LEASE_SECONDS / 2
    job_id = house.audit(epochs=LONG_EPOCHS)
    house.wait_for_epoch(job_id, 5)
    [trainer] = trainers(job_id)
    house.postgres.stop(signal.SIGQUIT)
    reply = house.client.http.get(f"/v1/jobs/{job_id}")
    assert (reply.status_code, reply.json()["code"]) == (503, "database_unavailable")
    assert int(reply.headers["retry-after"]) > 0
    assert reply.headers["content-type"] == "application/problem+json"
    time.sleep(_ALONE_SECONDS)
    with frozen(trainer):  # however fast it is, it must not be done before the database is back
        time.sleep(away - _ALONE_SECONDS)
        house.postgres.start()
    assert trainers(job_id) == [trainer]
    assert house.assert_ended_as_if_undisturbed(job_id)["attempt"] == 1
    say(f"9: database away for {away:g} s: 503 with Retry-After, one attempt, results equal")


def test_10_a_trainer_stops_itself_when_the_database_stays_away(house: House, say: Say) -> None:
    away = 2 * LEASE_SECONDS
    job_id = house.audit(epochs=LONG_EPOCHS)
    house.wait_for_epoch(job_id, 5)
    house.postgres.stop(signal.SIGQUIT)
    stopped = time.monotonic()
    [trainer] = trainers(job_id)
    time.sleep(_ALONE_SECONDS)
    with frozen(trainer):
        wait_for(lambda: not trainers(job_id), seconds=LEASE_SECONDS, what="the trainer is stopped")
    alone = time.monotonic() - stopped
    time.sleep(away - alone)
    house.postgres.start()
    assert house.assert_ended_as_if_undisturbed(job_id)["attempt"] == 2
    say(
        f"10: database away for {away:g} s: trainer stopped after {alone:.1f} s of a lease of "
        f"{LEASE_SECONDS:g} s, resumed as attempt 2, results equal"
    )


def test_10b_a_database_that_hangs_is_no_excuse(house: House, say: Say) -> None:
    job_id = house.audit(epochs=LONG_EPOCHS)
    house.wait_for_epoch(job_id, 5)
    [trainer] = trainers(job_id)
    _signal_all(house.postgres, signal.SIGSTOP)
    try:
        with frozen(trainer):
            wait_for(lambda: not trainers(job_id), seconds=LEASE_SECONDS, what="it is stopped")
    finally:
        _signal_all(house.postgres, signal.SIGCONT)
    job = house.assert_ended_as_if_undisturbed(job_id)
    say(f"10: hanging database: the trainer stopped in its lease, {job['attempt']} attempts")


@pytest.mark.parametrize("server", ["redis", "postgres"])
def test_11_a_worker_ends_in_time_while_a_server_is_dead(
    house: House, say: Say, server: str
) -> None:
    job_id = house.audit()
    house.wait_for_epoch(job_id, 5)
    dead: Server = getattr(house, server)
    dead.stop(signal.SIGQUIT if server == "postgres" else signal.SIGKILL)
    time.sleep(3)
    asked = time.monotonic()
    try:
        exit_code = house.stack.end("gpu")
    finally:
        dead.start()
    took = time.monotonic() - asked
    assert trainers(job_id) == []
    assert took < 30
    house.restore()
    house.assert_ended_as_if_undisturbed(job_id)
    say(
        f"11: with a dead {server} the worker ended after {took:.1f} s ({exit_code}), results equal"
    )
