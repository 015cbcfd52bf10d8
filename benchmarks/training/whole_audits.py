"""`labelaudit audit` on CIFAR-10 images with planted wrong labels, against the truth.

    python -m benchmarks.training.whole_audits [--preset standard] [--per-class 500] [--noise 0.3]
        [--kind uniform|asymmetric] [--seed 0] [--out FILE]

Takes the class-folder zip of CIFAR-10 (`CIFAR10_ZIP`, or `shared/data/cifar10-train.zip` beside
the project); without it there is nothing to measure. Uniform: each chosen label moves to one of
the other classes, evenly. Asymmetric: truck to automobile, bird to airplane, deer to horse, cat and
dog to each other. Prints one table and writes it as JSON where `--out` says. Memory is the largest
of any one process.
"""

import argparse
import csv
import json
import random
import resource
import subprocess
import sys
import tempfile
import time
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.harness import facts, keep
from benchmarks.images import cifar10_zip
from benchmarks.quality import calibration_error, f1, roc_auc

_ASYMMETRIC = {
    "truck": "automobile", "bird": "airplane", "deer": "horse", "cat": "dog", "dog": "cat",
}  # fmt: skip


def main() -> None:
    """Make the upload, run the program, compare."""
    options = _options()
    source = cifar10_zip()
    device = "cuda" if torch.cuda.is_available() else "cpu"
    origin = facts(options) | vars(options) | {"device": device}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        truth = make_upload(
            source, folder / "upload.zip",
            per_class=options.per_class, noise=options.noise, seed=options.seed, kind=options.kind,
        )  # fmt: skip
        started = time.perf_counter()
        run_audit(folder, options)
        result = describe(folder / "out", truth) | {
            "wall_seconds": time.perf_counter() - started,
            "peak_memory_mib": resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024,
        }
    del origin["out"]
    result = origin | result
    for name, value in result.items():
        print(f"{name:22} {value:.4g}" if isinstance(value, float) else f"{name:22} {value}")
    keep(result, options.out)


def make_upload(
    source: Path, target: Path, *, per_class: int, noise: float, seed: int, kind: str
) -> dict[str, bool]:
    """Write the upload; return for each path whether its label is wrong."""
    generator = random.Random(seed)  # noqa: S311 - not for secrets
    truth = {}
    with zipfile.ZipFile(source) as archive, zipfile.ZipFile(target, "w") as upload:
        members = [entry for entry in archive.namelist() if entry.endswith(".jpg")]
        by_class: dict[str, list[str]] = {}
        for member in sorted(members):
            by_class.setdefault(member.split("/")[-2], []).append(member)
        for true_label, names in by_class.items():
            others = [label for label in by_class if label != true_label]
            if kind == "asymmetric":
                others = [_ASYMMETRIC[true_label]] if true_label in _ASYMMETRIC else []
            for member in names[:per_class]:
                is_wrong = generator.random() < noise and bool(others)
                label = generator.choice(others) if is_wrong else true_label
                path = f"{label}/{generator.getrandbits(48):012x}.jpg"
                upload.writestr(path, archive.read(member))
                truth[path] = is_wrong
    return truth


def run_audit(folder: Path, options: argparse.Namespace) -> None:
    """Run the program as a user does."""
    command = [sys.executable, "-P", "-m", "labelaudit", "audit", "upload.zip", "--out", "out"]
    command += ["--preset", options.preset, "--seed", str(options.seed)]
    command += ["--epochs", str(options.epochs)] if options.epochs else []
    subprocess.run(command, cwd=folder, check=True)


def describe(out: Path, truth: dict[str, bool]) -> dict[str, Any]:
    """Compare findings with the truth."""
    with (out / "findings.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    is_wrong = np.array([truth[row["path"]] for row in rows])
    chance = np.array([float(row["p_mislabeled"]) for row in rows])
    is_flagged = np.array([row["flagged"] == "true" for row in rows])
    num_hits = int((is_flagged & is_wrong).sum())
    report = json.loads((out / "report.json").read_text())
    return {
        "num_samples": len(rows),
        "preset": report["run"]["preset"],
        "actual_noise": float(is_wrong.mean()),
        "estimated_noise": report["noise_rate"],
        "estimated_interval": report["noise_rate_interval"],
        "flagged": float(is_flagged.mean()),
        "roc_auc": roc_auc(chance, is_wrong),
        "f1": f1(is_flagged, is_wrong),
        "precision": num_hits / max(int(is_flagged.sum()), 1),
        "expected_precision": report["expected_precision"],
        "recall": num_hits / max(int(is_wrong.sum()), 1),
        "expected_recall": report["expected_recall"],
        "calibration_error": calibration_error(chance, is_wrong),
    }


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--preset", default="standard")
    parser.add_argument("--kind", default="uniform", choices=("uniform", "asymmetric"))
    parser.add_argument("--per-class", type=int, default=500)
    parser.add_argument("--noise", type=float, default=0.3)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--epochs", type=int)
    parser.add_argument("--out", type=Path)
    return parser.parse_args()


if __name__ == "__main__":
    main()
