"""Latency of reads by many clients while a training runs, and the API's memory meanwhile.

    python -m benchmarks.service.read_load [--clients 50] [--seconds 180] [--server] [--apis 2]
        [--out docs/results/read-load.json]

Each client asks for what a reviewer, a dashboard and a script ask for, in turn, with a pause
between two requests, over a bare connection of its own: real clients have computers of their own,
so here they should cost little. Loopback only. `--server` uses PostgreSQL and Redis instead of
SQLite and files, `--apis` several API processes, to each of which its share of the clients talks.
Targets: no error, p95 below 500 ms over all reads, memory that does not grow.
"""

import argparse
import http.client
import itertools
import os
import random
import statistics
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from benchmarks.harness import RESULTS, facts, keep
from benchmarks.service.api_process import answers
from tests.support.archives import write_tiny_zip
from tests.support.client import ServiceClient
from tests.support.ports import free_port
from tests.support.servers import running_postgres, running_redis
from tests.support.stack import running_stack
from tests.support.waiting import wait_for

_NUM_IMAGES = 2000
_TARGET_MS = 500.0
_WARM_SHARE = 1 / 3
"""Of the time, before memory is looked at: pools and caches fill first."""


@dataclass
class Seen:
    """What the clients saw."""

    seconds: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    errors: list[str] = field(default_factory=list)
    memory: list[tuple[float, float]] = field(default_factory=list)
    """Seconds since the start, and megabytes."""
    api_seconds: float = 0.0
    """Of processor time."""


@dataclass(frozen=True)
class Api:
    """One process of the API."""

    url: str
    pid: int


def main() -> None:
    """Measure, print and write one result."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--clients", type=int, default=50)
    parser.add_argument("--seconds", type=float, default=180.0)
    parser.add_argument("--pause", type=float, default=0.2, help="Mean, between two requests.")
    parser.add_argument("--server", action="store_true")
    parser.add_argument("--apis", type=int, default=1)
    parser.add_argument("--out", type=Path, default=RESULTS / "read-load.json")
    chosen = parser.parse_args()
    origin = facts(chosen)
    with _service(server=chosen.server, num_apis=chosen.apis) as (client, apis):
        paths = _prepare(client)
        seen = _look_around(client, apis, paths, chosen)
        training = client.job(paths["job"].rsplit("/", 1)[1])
    assert training["state"] == "running"
    result = {
        **origin,
        "mode": "server" if chosen.server else "embedded",
        "apis": chosen.apis,
        "clients": chosen.clients,
        "seconds": chosen.seconds,
        "pause_seconds": chosen.pause,
        "training_epochs_meanwhile": training["progress"]["epoch"],
        **_summary(seen, chosen.seconds),
    }
    keep(result, chosen.out)
    _show(result)


@contextmanager
def _service(*, server: bool, num_apis: int) -> Iterator[tuple[ServiceClient, list[Api]]]:
    """Run a service; yield a client and the API's processes."""
    with ExitStack() as opened:
        folder = Path(opened.enter_context(tempfile.TemporaryDirectory()))
        database_url = opened.enter_context(running_postgres()) if server else None
        redis_url = opened.enter_context(running_redis()) if server else None
        stack = opened.enter_context(
            running_stack(folder, database_url=database_url, redis_url=redis_url)
        )
        apis = [Api(stack.url, stack.processes["api"].pid)]
        for number in range(2, num_apis + 1):
            port = str(free_port())
            process = stack.start(f"api-{number}", LABELAUDIT_PORT=port)
            apis.append(Api(f"http://127.0.0.1:{port}", process.pid))
            wait_for(partial(answers, apis[-1].url), seconds=60, what="another API is ready")
        yield stack.new_client(), apis


def _prepare(client: ServiceClient) -> dict[str, str]:
    """Return what to ask for, by name, once one audit is done and another one runs."""
    with tempfile.TemporaryDirectory() as folder:
        archive = Path(folder) / "colours.zip"
        write_tiny_zip(archive, num_train=_NUM_IMAGES)
        reply = client.upload(archive, audit='{"epochs": 3, "method": "ce"}').json()
    dataset, done = f"/v1/datasets/{reply['dataset_id']}", f"/v1/jobs/{reply['job_id']}"
    assert client.wait(reply["job_id"], seconds=600)["state"] == "succeeded"
    audit = {"dataset_id": reply["dataset_id"], "epochs": 10_000, "method": "m-dyr-h"}
    running = client.http.post("/v1/jobs", json=audit).json()["job_id"]
    first = client.http.get(f"{done}/samples", params={"limit": 100}).json()
    sample = f"/v1/samples/{first['items'][0]['sample_id']}"
    return {
        "job": f"/v1/jobs/{running}",
        "jobs": "/v1/jobs",
        "attempts": f"/v1/jobs/{running}/attempts",
        "dataset": dataset,
        "samples of a data set": f"{dataset}/samples?limit=100",
        "findings": f"{done}/samples?flagged=true&limit=100",
        "findings, next page": f"{done}/samples?limit=100&cursor={first['next_cursor']}",
        "report": f"{done}/report",
        "sample": sample,
        "thumbnail": f"{sample}/image?size=thumb",
        "readiness": "/readyz",
    }


def _look_around(
    client: ServiceClient, apis: list[Api], paths: dict[str, str], chosen: argparse.Namespace
) -> Seen:
    """Let all clients ask until the time is over."""
    seen, done = Seen(), threading.Event()
    headers = {"Authorization": client.http.headers["Authorization"]}
    clients = [
        threading.Thread(
            target=_ask,
            args=(apis[number % len(apis)].url, headers, paths, seen, done, chosen.pause, number),
        )
        for number in range(chosen.clients)
    ]
    started, used = time.monotonic(), _processor_seconds(apis)
    for thread in clients:
        thread.start()
    while (now := time.monotonic() - started) < chosen.seconds:
        seen.memory.append((now, sum(_resident_mb(api.pid) for api in apis)))
        time.sleep(1.0)
    done.set()
    for thread in clients:
        thread.join()
    seen.api_seconds = _processor_seconds(apis) - used
    return seen


def _ask(
    url: str,
    headers: dict[str, str],
    paths: dict[str, str],
    seen: Seen,
    done: threading.Event,
    pause: float,
    number: int,
) -> None:
    dice = random.Random(number)  # noqa: S311 - pauses
    names = list(paths)
    turns = itertools.cycle(names[number % len(names) :] + names[: number % len(names)])
    with closing(http.client.HTTPConnection(urlsplit(url).netloc, timeout=60)) as own:
        while not done.wait(dice.uniform(0, 2 * pause)):
            name = next(turns)
            begun = time.perf_counter()
            outcome = _outcome(own, paths[name], headers)
            seen.seconds[name].append(time.perf_counter() - begun)
            if outcome is not None:
                seen.errors.append(f"{name}: {outcome}")


def _outcome(
    connection: http.client.HTTPConnection, path: str, headers: dict[str, str]
) -> str | None:
    """Ask, and return what went wrong, if anything did."""
    try:
        connection.request("GET", path, headers=headers)
        reply = connection.getresponse()
        body = reply.read()
    except (OSError, http.client.HTTPException) as error:
        connection.close()  # the next request opens it again
        return type(error).__name__
    return None if reply.status == 200 else f"{reply.status} {body[:200]!r}"


def _resident_mb(pid: int) -> float:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    [line] = [line for line in lines if line.startswith("VmRSS:")]
    return int(line.split()[1]) / 1024


def _processor_seconds(apis: list[Api]) -> float:
    stats = [Path(f"/proc/{api.pid}/stat").read_text().rsplit(")", 1)[1].split() for api in apis]
    ticks = sum(int(fields[11]) + int(fields[12]) for fields in stats)
    return ticks / os.sysconf("SC_CLK_TCK")


def _summary(seen: Seen, seconds: float) -> dict[str, Any]:
    every = [value for values in seen.seconds.values() for value in values]
    late = [(at, size) for at, size in seen.memory if at > seconds * _WARM_SHARE]
    slope = statistics.linear_regression(*zip(*late, strict=True)).slope
    return {
        "num_requests": len(every),
        "requests_per_second": round(len(every) / seconds, 1),
        "num_errors": len(seen.errors),
        "errors": sorted(set(seen.errors))[:10],
        "p50_ms": _milliseconds(every, 50),
        "p95_ms": _milliseconds(every, 95),
        "p99_ms": _milliseconds(every, 99),
        "target_p95_ms": _TARGET_MS,
        "api_cpu_ms_a_request": round(1000 * seen.api_seconds / len(every), 2),
        "routes": {
            name: {
                "n": len(values),
                "p50_ms": _milliseconds(values, 50),
                "p95_ms": _milliseconds(values, 95),
            }
            for name, values in seen.seconds.items()
        },
        "memory_mb": {
            "first": round(seen.memory[0][1], 1),
            "last": round(seen.memory[-1][1], 1),
            "most": round(max(size for _, size in seen.memory), 1),
            "growth_a_minute_after_warm_up": round(60 * slope, 2),
        },
    }


def _milliseconds(values: list[float], percent: int) -> float:
    return round(1000 * statistics.quantiles(values, n=100)[percent - 1], 1)


def _show(result: dict[str, Any]) -> None:
    print(
        f"{result['clients']} clients for {result['seconds']:g} s, {result['mode']}: "
        f"{result['num_requests']} reads, {result['num_errors']} errors, p50 {result['p50_ms']}, "
        f"p95 {result['p95_ms']} ms (target {_TARGET_MS:g}), {result['api_cpu_ms_a_request']} ms "
        f"of the API's processor each, load before {result['load_before']}"
    )
    for name, row in result["routes"].items():
        print(f"  {name:24} n {row['n']:6}  p50 {row['p50_ms']:7.1f}  p95 {row['p95_ms']:7.1f} ms")
    print(f"  memory of the API: {result['memory_mb']}")
    for error in result["errors"]:
        print(f"  {error}")


if __name__ == "__main__":
    main()
