"""How many samples a second each export format writes: the whole job, as a worker runs it.

    python -m benchmarks.export_speed UPLOAD.zip [--repeat N] [--out RESULT.json]

The upload is taken in first. Formats run in turn, all of them before the next repetition.
"""

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any
from uuid import UUID

from app.core.durable import write_json
from app.exports.schemas import ExportFormat, ExportOptions
from app.models import JobKind
from benchmarks.machine import facts
from benchmarks.private_jobs import PrivateJobs


def main() -> None:
    """Print one table, and write it as JSON where wanted."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("upload", type=Path)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        jobs = PrivateJobs(Path(folder))
        dataset_id = jobs.add_upload(options.upload)
        jobs.run()
        num_samples = jobs.dataset(dataset_id).num_samples
        runs = [measure(jobs, dataset_id, num_samples) for _ in range(options.repeat)]
    result = facts() | {
        "command": "OMP_NUM_THREADS=1 python -m benchmarks.export_speed",
        "num_samples": num_samples,
        "samples_per_second": runs,
        "best": {name: max(run[name] for run in runs) for name in ExportFormat},
        "median": {name: statistics.median(run[name] for run in runs) for name in ExportFormat},
    }
    print(json.dumps(result, indent=1))
    if options.out is not None:
        write_json(options.out, result)


def measure(jobs: PrivateJobs, dataset_id: UUID, num_samples: int) -> dict[str, Any]:
    """Run one job for each format."""
    rates: dict[str, Any] = {"load": os.getloadavg()[0]}
    for name in ExportFormat:
        wanted = ExportOptions.model_validate({"format": name, "labels": "given"})
        jobs.queue(dataset_id, JobKind.EXPORT, wanted.model_dump(mode="json"))
        started = time.perf_counter()
        jobs.run()
        rates[name.value] = num_samples / (time.perf_counter() - started)
        print(f"{name}: {rates[name.value]:,.0f}", file=sys.stderr)
    return rates


if __name__ == "__main__":
    main()
