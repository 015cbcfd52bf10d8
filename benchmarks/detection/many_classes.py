"""Time and memory of `ml.detect` with many classes, for `benchmarks.detection.sets`."""

import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import Any

import ml
from benchmarks.detection.cases import simulate
from benchmarks.detection.ways import OURS, confident_learning
from benchmarks.harness import memory_mib
from benchmarks.quality import f1

SIZES = (20_000, 100_000)
NUM_CLASSES = 1000


def measure() -> list[dict[str, Any]]:
    """Return a row for each size, each measured in a process of its own."""
    rows = []
    for size in SIZES:
        with ProcessPoolExecutor(max_workers=1, mp_context=get_context("spawn")) as pool:
            rows.append(pool.submit(measure_size, size).result())
    return rows


def measure_size(num_samples: int) -> dict[str, Any]:
    """Return processor time, the most memory beside what is given, and F1."""
    case = simulate(num_samples, NUM_CLASSES)
    before = memory_mib("VmRSS")
    started = time.process_time()
    found = ml.detect(case.prob, case.given)
    seconds = time.process_time() - started
    memory = memory_mib("VmHWM") - before
    started = time.process_time()
    confident_N = confident_learning(case.prob, case.given)
    rival_seconds = time.process_time() - started
    flags = {
        "argmax": case.prob.argmax(axis=1) != case.given,
        "confident_learning": confident_N,
        OURS: found.flagged,
    }
    return {
        "num_samples": num_samples,
        "num_classes": NUM_CLASSES,
        "input_mib": case.prob.nbytes / 2**20,
        "peak_memory_mib": memory,
        "processor_seconds": {OURS: seconds, "confident_learning": rival_seconds},
        "f1": {way: f1(flagged_N, case.is_wrong) for way, flagged_N in flags.items()},
        "wrong": float(case.is_wrong.mean()),
        "noise_rate": found.noise_rate,
        "noise_rate_interval": found.noise_rate_interval,
    }
