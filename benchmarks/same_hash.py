"""One archive by multipart, by tus and by `labelaudit audit`: the content hash of each data set.

    python -m benchmarks.same_hash UPLOAD.zip [--out RESULT.json]

The audit is ended once its data set is taken in: what comes after changes no hash.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from app.core.durable import write_json
from benchmarks.machine import facts
from benchmarks.upload_speed import send_form, send_stream
from tests.support.service import Service, running_service
from tests.support.waiting import wait_for

_SECONDS = 3_600.0


def main() -> None:
    """Print the hashes, and write them as JSON where wanted."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("upload", type=Path)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    ways = {"multipart": send_form, "tus": send_stream, "labelaudit audit": audit}
    with tempfile.TemporaryDirectory() as name, running_service(Path(name)) as service:
        datasets = {way: taken_in(service, send, options.upload) for way, send in ways.items()}
    result = facts() | {
        "command": "python -m benchmarks.same_hash",
        "num_samples": {way: dataset["num_samples"] for way, dataset in datasets.items()},
        "content_hash": {way: dataset["content_hash"] for way, dataset in datasets.items()},
        "same": len({dataset["content_hash"] for dataset in datasets.values()}) == 1,
    }
    print(json.dumps(result, indent=1))
    if options.out is not None:
        write_json(options.out, result)


def taken_in(
    service: Service, send: Callable[[Service, Path], object], upload: Path
) -> dict[str, Any]:
    """Send the upload; return its data set once that is ready, and end its job."""
    num_before = len(_datasets(service))
    ending = send(service, upload)

    def newest() -> dict[str, Any] | None:
        datasets = _datasets(service)
        is_there = len(datasets) > num_before and datasets[0]["state"] == "ready"
        return datasets[0] if is_there else None

    dataset = wait_for(newest, seconds=_SECONDS, what="the data set is ready", every=1.0)
    if callable(ending):
        ending()
    job = service.http.get("/v1/jobs").json()["items"][0]
    service.http.post(f"/v1/jobs/{job['id']}/cancel")
    service.wait(job["id"])
    print(dataset["content_hash"], file=sys.stderr)
    return dataset


def _datasets(service: Service) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = service.http.get("/v1/datasets").json()["items"]
    return items


def audit(service: Service, upload: Path) -> Callable[[], None]:
    """Start the command; return what ends it."""
    key = str(service.http.headers["authorization"]).removeprefix("Bearer ")
    out = service.data_dir.parent / "out"
    command = ["labelaudit", "audit", upload, "--url", service.url, "--out", out]
    program = subprocess.Popen(
        [sys.executable, "-P", "-m", *map(str, command)],
        env=os.environ | {"LABELAUDIT_API_KEY": key},
    )

    def end() -> None:
        program.send_signal(signal.SIGINT)
        program.wait()

    return end


if __name__ == "__main__":
    main()
