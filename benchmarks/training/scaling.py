"""How time and memory of a whole `labelaudit audit` grow with the number of images.

    python -m benchmarks.training.scaling [--presets quick,standard]
        [--sizes 5000,10000,20000,50000] [--epochs quick=25,standard=4] [--again]
        [--out docs/results/scaling]

Each cell is `benchmarks.training.whole_audits` in a process of its own: CIFAR-10 with 20 %
uniform wrong labels, from the archive to the files that the program writes. `standard` gets few
epochs, for each costs the same. Memory is the largest of any one process. Exponents are slopes by
least squares of log time and log memory over log images: 1 is linear. Of memory, whose base is the
libraries', also the growth in MiB for 1,000 images. One JSON a cell; cells that are done are not
done again.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.harness import RESULTS, keep, keep_cell
from benchmarks.images import NUM_CLASSES

_NOISE = 0.2
_SECONDS, _MEMORY = "wall_seconds", "peak_memory_mib"


def main() -> None:
    """Run what is missing, fit, and write what came out."""
    options = _options()
    epochs = {name: int(count) for name, count in (each.split("=") for each in options.epochs)}
    sizes = sorted(map(int, options.sizes.split(",")))
    summary = {}
    for preset in options.presets.split(","):
        cells = [cell(preset, size, epochs[preset], options) for size in sizes]
        summary[preset] = {"epochs": epochs[preset], **fit(sizes, cells)}
        show(preset, summary[preset])
    keep(summary, options.out / "summary.json")


def cell(preset: str, size: int, epochs: int, options: argparse.Namespace) -> dict[str, Any]:
    """Return the result of one audit."""
    settings = {"preset": preset, "num_images": size, "noise": _NOISE, "epochs": epochs}
    print(f"{preset}, {size:,} images …", flush=True)
    return keep_cell(
        options.out / f"{preset}-{size}.json", settings, partial(audit, settings),
        again=options.again,
    )  # fmt: skip


def audit(settings: dict[str, Any]) -> dict[str, Any]:
    """Run one audit as a user does, and return what was measured of it."""
    with tempfile.TemporaryDirectory() as name:
        out = Path(name) / "result.json"
        command = [sys.executable, "-m", "benchmarks.training.whole_audits", "--out", str(out)]
        command += ["--preset", settings["preset"], "--epochs", str(settings["epochs"])]
        command += ["--per-class", str(settings["num_images"] // NUM_CLASSES)]
        command += ["--noise", str(settings["noise"])]
        subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
        measured: dict[str, Any] = json.loads(out.read_text())
    return {name: measured[name] for name in (_SECONDS, _MEMORY, "num_samples", "roc_auc", "f1")}


def fit(sizes: list[int], cells: list[dict[str, Any]]) -> dict[str, Any]:
    """Return exponents over the sizes, and the figures they are from."""
    seconds, memory = ([each[name] for each in cells] for name in (_SECONDS, _MEMORY))
    result: dict[str, Any] = {"num_images": sizes, "seconds": seconds, "peak_memory_mib": memory}
    if len(sizes) > 1:
        result |= {
            "time_exponent": _slope(np.log(sizes), np.log(seconds)),
            "memory_exponent": _slope(np.log(sizes), np.log(memory)),
            "memory_mib_per_1000": _slope(np.array(sizes) / 1000.0, np.array(memory)),
        }
    return result


def _slope(x: np.ndarray, y: np.ndarray) -> float:
    """Return the slope of y over x by least squares."""
    return float(np.polyfit(x, y, 1)[0])


def show(preset: str, fitted: dict[str, Any]) -> None:
    """Print one preset as a table."""
    print(f"{preset}, {fitted['epochs']} epochs\n{'images':>8} {'seconds':>9} {'MiB':>8}")
    for row in zip(fitted["num_images"], fitted["seconds"], fitted["peak_memory_mib"], strict=True):
        print("{:8d} {:9.1f} {:8.0f}".format(*row))
    if "time_exponent" in fitted:
        print(
            f"time grows with exponent {fitted['time_exponent']:.2f}, memory with "
            f"{fitted['memory_exponent']:.2f} ({fitted['memory_mib_per_1000']:.1f} MiB for 1,000)"
        )


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--presets", default="quick,standard")
    parser.add_argument(
        "--sizes", default="5000,10000,20000,50000",
        help="400 at least: classes of fewer than 20 are not judged",
    )  # fmt: skip
    parser.add_argument(
        "--epochs", type=lambda given: given.split(","), default=["quick=25", "standard=4"]
    )
    parser.add_argument("--again", action="store_true")
    parser.add_argument("--out", type=Path, default=RESULTS / "scaling")
    return parser.parse_args()


if __name__ == "__main__":
    main()
