"""Eight equal jobs with one worker and with two, on one Redis and one PostgreSQL.

    python -m benchmarks.service.two_workers [--jobs 8] [--epochs 20]
        [--out docs/results/two-workers.json]

Trainers have one thread each, so two workers need two idle cores. Time runs from the first
request until the last job has ended. The target is 0.65 of one worker's time; more than that on
idle cores, or a job that ran twice, is a failure.
"""

import argparse
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.harness import RESULTS, facts, keep
from tests.support.archives import write_tiny_zip
from tests.support.client import ServiceClient
from tests.support.servers import running_postgres, running_redis
from tests.support.stack import Stack, running_stack

_NUM_IMAGES = 2000
_TARGET = 0.65
_STARTING_SECONDS = 15.0
"""Loading the second worker's program is no part of the measurement."""
_HOUR = 3600.0


def main() -> None:
    """Measure, print and write one result."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--jobs", type=int, default=8)
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--out", type=Path, default=RESULTS / "two-workers.json")
    chosen = parser.parse_args()
    origin = facts(chosen)
    with _stack() as stack:
        client = stack.new_client()
        dataset_id = _dataset(stack, client)
        audit = {"dataset_id": dataset_id, "method": "m-dyr-h", "epochs": chosen.epochs}
        one = _measure(client, audit, chosen.jobs)
        stack.start("gpu-2")
        time.sleep(_STARTING_SECONDS)
        two = _measure(client, audit, chosen.jobs)
    result = {
        **origin,
        "num_images": _NUM_IMAGES,
        "num_jobs": chosen.jobs,
        "one_worker": one,
        "two_workers": two,
        "share": round(two["seconds"] / one["seconds"], 3),
        "target": _TARGET,
    }
    keep(result, chosen.out)
    print(
        f"{chosen.jobs} jobs: {one['seconds']:.1f} s with one worker, {two['seconds']:.1f} s with "
        f"two, share {result['share']:.2f} (target {_TARGET}), load before {origin['load']:.1f}; "
        f"attempts {one['attempts']} and {two['attempts']}"
    )


@contextmanager
def _stack() -> Iterator[Stack]:
    with (
        tempfile.TemporaryDirectory() as folder,
        running_postgres() as database_url,
        running_redis() as redis_url,
        running_stack(
            Path(folder),
            database_url=database_url,
            redis_url=redis_url,
            LABELAUDIT_LEASE_SECONDS="60",
            LABELAUDIT_HEARTBEAT_SECONDS="10",
        ) as stack,
    ):
        yield stack


def _dataset(stack: Stack, client: ServiceClient) -> str:
    archive = stack.folder / "colours.zip"
    write_tiny_zip(archive, num_train=_NUM_IMAGES)
    reply = client.upload(archive, audit="none").json()
    assert client.wait(reply["job_id"])["state"] == "succeeded"
    dataset_id: str = reply["dataset_id"]
    return dataset_id


def _measure(client: ServiceClient, audit: dict[str, Any], num_jobs: int) -> dict[str, Any]:
    """Return wall-clock seconds, attempts of each job."""
    begun = time.perf_counter()
    jobs = [client.http.post("/v1/jobs", json=audit).json()["job_id"] for _ in range(num_jobs)]
    ended = [client.wait(job_id, seconds=_HOUR) for job_id in jobs]
    seconds = time.perf_counter() - begun
    assert {job["state"] for job in ended} == {"succeeded"}
    attempts = [job["attempt"] for job in ended]
    assert attempts == [1] * num_jobs
    return {"seconds": round(seconds, 2), "attempts": attempts}


if __name__ == "__main__":
    main()
