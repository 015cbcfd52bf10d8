"""Time and quality of `standard` against five-fold confident learning with the same network.

    python -m benchmarks.training.rivals [--cells cifar10-uniform20,...] [--images 10000]
        [--epochs 10] [--again] [--quality-again] [--out docs/results/rivals]

Three sides, each a process of its own, one after the other: `ours` trains once and judges;
`folds` is cleanlab on out-of-fold predictions of our own fast trainer, by plain cross-entropy (and
`argmax` what these predictions say against the given label, without cleanlab); `plain` the same
folds in a usual float32 loop, of which one is run and its time counted five times, with cleanlab's
beside. All have the same network and number of epochs. Time runs from images in memory to flags;
`ours` and `folds` have the environment that a worker gives its trainers. Ratios say how many times
longer the others take; the goals are 2.5 and 6, at F1 and ROC-AUC that are no lower. Memory is the
largest of a side's process, everything included. One JSON a cell; cells that are done are not done
again. `--quality-again` trains `ours` alone once more, by the code of today, and replaces what it
found; times stay, for only those of one run can be compared.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import Any

import torch

from benchmarks.harness import RESULTS, facts, keep, keep_cell
from benchmarks.images import NUM_CLASSES
from benchmarks.training.rival_sides import CELLS, NUM_FOLDS, SIDES, load_task
from worker.processes.spawn import child_environment

_LEAST_FOLDS, _LEAST_PLAIN = 2.5, 6.0
_DATA = ("CIFAR10_ZIP", "FASHION_MNIST")
_MOST_EPOCHS = 10


def main() -> None:
    """Be a side, or measure what is missing and print it."""
    options = _options()
    if options.side:
        print(json.dumps(run_side(options.side, options.cells, options)), flush=True)
        return
    for name in options.cells.split(","):
        try:
            CELLS[name].pictures(NUM_CLASSES)
        except SystemExit as missing:
            print(f"{name}: skipped, {missing}")
            continue
        settings = {"cell": name, "num_images": options.images, "epochs": options.epochs}
        file = options.out / f"{name}.json"
        result = keep_cell(file, settings, partial(measure, name, options), again=options.again)
        if options.quality_again:
            result = with_quality_of_today(result, name, options)
            keep(result, file)
        show(name, result)


def measure(name: str, options: argparse.Namespace) -> dict[str, Any]:
    """Run the three sides of a cell and compare."""
    ours, folds, plain = (_side(side, name, options) for side in SIDES)
    plain["seconds"] = NUM_FOLDS * plain["fold_seconds"] + folds["judging_seconds"]
    ratios = {
        "folds": folds["seconds"] / ours["seconds"],
        "folds_without_tracking": (
            (folds["seconds"] - folds["tracking_seconds"]) / ours["seconds"]
        ),
        "plain": plain["seconds"] / ours["seconds"],
    }
    return {
        "plain_is": f"one of {NUM_FOLDS} folds, times {NUM_FOLDS}, and cleanlab's own time",
        "sides": {"ours": ours, "folds": folds, "plain": plain},
        "ratios": ratios,
        "reached": _reached(ours["quality"], folds["quality"], ratios),
    }


def with_quality_of_today(
    result: dict[str, Any], name: str, options: argparse.Namespace
) -> dict[str, Any]:
    """Return a cell's result with what `ours` finds now; the commit of that stands beside it."""
    origin = facts()
    found = _side("ours", name, options)["quality"]
    sides = result["sides"]
    ours = sides["ours"] | {"quality": found, "quality_origin": origin}
    return result | {
        "sides": sides | {"ours": ours},
        "reached": _reached(found, sides["folds"]["quality"], result["ratios"]),
    }


def _reached(ours: dict[str, float], theirs: dict[str, float], ratios: dict[str, float]) -> Any:
    """Return which goals are reached."""
    return {
        "folds_time": ratios["folds"] >= _LEAST_FOLDS,
        "plain_time": ratios["plain"] >= _LEAST_PLAIN,
        "f1": ours["f1"] >= theirs["f1"],
        "roc_auc": ours["roc_auc"] >= theirs["roc_auc"],
    }


def run_side(side: str, name: str, options: argparse.Namespace) -> dict[str, Any]:
    """Return what a side found, how long it took and what its process needed."""
    task = load_task(name, options.images)
    result = SIDES[side](task, options.epochs)
    return {
        **result,
        "actual_noise": float(task.is_wrong.mean()),
        "threads": torch.get_num_threads(),
        "peak_memory_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


def _side(side: str, name: str, options: argparse.Namespace) -> dict[str, Any]:
    command = [sys.executable, "-m", "benchmarks.training.rivals", "--side", side, "--cells", name]
    command += ["--images", str(options.images), "--epochs", str(options.epochs)]
    given = {key: os.environ[key] for key in _DATA if key in os.environ}
    environment = dict(os.environ) if side == "plain" else child_environment(None) | given
    print(f"{name}: {side} …", flush=True)
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, env=environment)
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result


def show(name: str, result: dict[str, Any]) -> None:
    """Print one cell as a table."""
    sides = result["sides"]
    print(f"{name:26} {'seconds':>9} {'F1':>6} {'prec':>6} {'recall':>6} {'AUC':>6}")
    rows = {
        "standard": (sides["ours"]["seconds"], sides["ours"]["quality"]),
        "confident learning, ours": (sides["folds"]["seconds"], sides["folds"]["quality"]),
        "argmax, ours": (sides["folds"]["seconds"], sides["folds"]["argmax"]),
        "confident learning, plain": (sides["plain"]["seconds"], None),
    }
    for title, (seconds, quality) in rows.items():
        figures = [f"{each:6.3f}" for each in quality.values()] if quality else []
        print(f"{title:26} {seconds:9.1f} {' '.join(figures)}")
    print(", ".join(f"{key} {value:.2f}x" for key, value in result["ratios"].items()))
    print(", ".join(f"{key}: {value}" for key, value in result["reached"].items()))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cells", default=",".join(CELLS), help="names, with commas between")
    parser.add_argument("--images", type=int, default=10_000)
    parser.add_argument("--epochs", type=int, default=_MOST_EPOCHS)
    parser.add_argument("--again", action="store_true")
    parser.add_argument("--quality-again", action="store_true")
    parser.add_argument("--side", choices=tuple(SIDES), help="internal: be one of the processes")
    parser.add_argument("--out", type=Path, default=RESULTS / "rivals")
    options = parser.parse_args()
    unknown = sorted(set(options.cells.split(",")) - CELLS.keys())
    if unknown:
        parser.error(f"unknown cell {unknown[0]!r}; known: {', '.join(CELLS)}")
    return options


if __name__ == "__main__":
    main()
