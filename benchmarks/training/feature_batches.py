"""How many images at once the frozen network of `quick` should see on a CPU.

    python -m benchmarks.training.feature_batches [--images 512] [--runs 3] [--sizes 8,16,32,64]
        [--out docs/results/feature-batches.json]

CIFAR-10 as `benchmarks.images` finds it, in the environment that a worker gives its trainers. The
sizes take turns within one process. Images per second, and pages of memory that faulted in a run.
"""

import argparse
import os
import resource
import subprocess
import sys
import time
from pathlib import Path
from statistics import median
from typing import Any
from unittest import mock

import numpy as np
import torch

import ml
from benchmarks.harness import RESULTS, facts, keep
from benchmarks.images import cifar10
from ml.types import ImageArray
from worker.processes.spawn import child_environment


def main() -> None:
    """Measure in a process with a trainer's environment; print and keep what came out."""
    options = _options()
    if not options.inside:
        module = "benchmarks.training.feature_batches"
        command = [sys.executable, "-m", module, "--inside", *sys.argv[1:]]
        given = {name: os.environ[name] for name in ("CIFAR10_ZIP",) if name in os.environ}
        sys.exit(
            subprocess.run(command, check=False, env=child_environment(None) | given).returncode
        )
    origin = facts(options)
    result = origin | {"num_images": options.images} | {"sizes": measure(options)}
    for size, found in result["sizes"].items():
        print(
            f"{size:>3} at once: {found['median']:.1f} images/s, {found['faults']:.0f} page faults"
        )
    keep(result, options.out)


def measure(options: argparse.Namespace) -> dict[str, Any]:
    """Return rates and faults of every size."""
    images = cifar10(options.images).images
    sizes = [int(size) for size in options.sizes.split(",")]
    extract(images, max(sizes))  # the first run loads libraries
    runs: dict[int, list[tuple[float, int]]] = {size: [] for size in sizes}
    for _ in range(options.runs):
        for size in sizes:
            runs[size].append(extract(images, size))
    return {str(size): _spread(each) for size, each in runs.items()}


def extract(images: ImageArray, size: int) -> tuple[float, int]:
    """Return images per second and page faults with `size` images at once."""
    config = ml.make_config("quick")
    out = np.empty((len(images), ml.NUM_VIEWS, ml.num_features(config)), dtype=np.float16)
    faults, started = _faults(), time.perf_counter()
    with mock.patch("ml.features.CPU_BATCH_SIZE", size):
        ml.extract_features(
            images, config, device=torch.device("cpu"), out=out, on_batch=lambda _: None
        )
    return len(images) / (time.perf_counter() - started), _faults() - faults


def _faults() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt


def _spread(runs: list[tuple[float, int]]) -> dict[str, Any]:
    rates, faults = zip(*runs, strict=True)
    return {
        "min": min(rates), "median": median(rates), "max": max(rates),
        "faults": median(faults), "runs": rates,
    }  # fmt: skip


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=512)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--sizes", default="8,16,32,64")
    parser.add_argument(
        "--inside", action="store_true", help="internal: be the process that is measured"
    )
    parser.add_argument("--out", type=Path, default=RESULTS / "feature-batches.json")
    return parser.parse_args()


if __name__ == "__main__":
    main()
