"""Server mode: the same processes, by hand, on PostgreSQL and Redis."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.archives import write_tiny_zip
from tests.support.stack import Stack, running_stack
from tests.support.waiting import wait_for

DATABASE = pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)


@pytest.fixture
def stack(tmp_path: Path, database_url: str, redis_url: str) -> Iterator[Stack]:
    with running_stack(
        tmp_path,
        database_url=database_url,
        redis_url=redis_url,
        LABELAUDIT_STORE_URL=f"file://{tmp_path / 'store'}",
        LABELAUDIT_SECRET="pepper",
        LABELAUDIT_GPUS="0,1",
        LABELAUDIT_LOG_FORMAT="json",
    ) as running:
        yield running


def _lines(stack: Stack, name: str, event: str) -> list[dict[str, Any]]:
    """Return the lines of one kind; every line of the log must be JSON."""
    lines = [json.loads(line) for line in stack.log(name).splitlines()]
    return [line for line in lines if line["event"] == event]


def _assert_logs_tell_the_story(stack: Stack, jobs: list[str]) -> None:
    queued = {line["job_id"]: line["request_id"] for line in _lines(stack, "api", "job_queued")}
    answered = {line["request_id"] for line in _lines(stack, "api", "request")}
    assert set(queued) == set(jobs)
    assert set(queued.values()) <= answered
    started = _lines(stack, "gpu", "started")
    assert {(line["job_id"], line["attempt"]) for line in started} == {(job, 1) for job in jobs}
    assert {line["device"] for line in started} == {"0", "1"}


@DATABASE
class TestServerMode:
    def test_runs_two_jobs_at_once_each_with_a_gpu_of_its_own(
        self, stack: Stack, tmp_path: Path
    ) -> None:
        client = stack.new_client()
        archive = tmp_path / "colours.zip"
        write_tiny_zip(archive)
        jobs = [
            client.upload(archive, audit='{"epochs": 20, "method": "ce"}').json()["job_id"]
            for _ in range(2)
        ]
        wait_for(
            lambda: all(client.job(job_id)["stage"] == "train" for job_id in jobs),
            seconds=90,
            what="both train at once",
        )
        for job_id in jobs:
            assert client.wait(job_id)["state"] == "succeeded"
        _assert_logs_tell_the_story(stack, jobs)

        assert not (stack.data_dir / "blobs").exists()
        image = client.findings(jobs[0], limit=500)[0]["sample_id"]
        assert client.http.get(f"/v1/samples/{image}/image").status_code == 200
        for name in ("api", "gpu", "cpu", "sweeper"):
            assert stack.end(name) == 0
