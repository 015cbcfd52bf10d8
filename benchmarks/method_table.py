"""Methods x noise x seeds on Fashion-MNIST: the paper's kind of table, on a small scale.

    python -m benchmarks.method_table [--methods ce,mixup] [--noise 0,0.5,0.8] [--seeds 0,1]
        [--epochs N] [--set name=value ...] [--processes P] [--out DIR]

Takes Debian's package dataset-fashion-mnist, or the folder that FASHION_MNIST names; without
either there is nothing to measure. Grey images become RGB. The training labels are taken as
right, and every cell trains on the same wrong ones of its noise level and seed. May be ended at
any time: the same command goes on with the cells that are missing.
"""

import argparse
import gzip
import os
import struct
import sys
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from labelaudit.errors import LabelAuditError
from labelaudit.study.data import StudyData, stratified_rows
from labelaudit.study.grid import Grid
from labelaudit.study.options import parse_options
from labelaudit.study.report import report_study
from labelaudit.study.runner import run_study
from labelaudit.terminal import show_error

_ROOT = Path(__file__).resolve().parents[1]
_DEFAULT = Path("/usr/share/datasets/fashion-mnist")
_OUT = _ROOT / "docs" / "results" / "method-table"
_METHODS = "ce,mixup,dy-h,dy-gmm,m-dyr-h,md-dyr-sh"
_CLASSES = (
    "T-shirt/top", "Trouser", "Pullover", "Dress", "Coat",
    "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot",
)  # fmt: skip
_UNSIGNED_BYTE = 8


def main() -> None:
    """Run what is missing, then write the table."""
    options = _options()
    source = Path(os.environ.get("FASHION_MNIST", _DEFAULT))
    if not (source / "train-images-idx3-ubyte.gz").exists():
        sys.exit(f"no Fashion-MNIST at {source}: apt-get install dataset-fashion-mnist")
    try:
        if not options.table_only:
            data = load_fashion_mnist(
                source, num_train=options.num_train, num_test=options.num_test
            )
            run_study(data, _grid(options), options.out, processes=options.processes)
        report_study(options.out)
    except KeyboardInterrupt:
        sys.exit("stopped; the same command goes on with the cells that are missing")
    except LabelAuditError as error:
        show_error(error)
        sys.exit(error.exit_code)


def load_fashion_mnist(source: Path, *, num_train: int, num_test: int) -> StudyData:
    """Return the first images of each class, as RGB."""
    arrays: dict[str, Any] = {}
    for split, prefix, num_rows in (("train", "train", num_train), ("test", "t10k", num_test)):
        labels = read_idx(source / f"{prefix}-labels-idx1-ubyte.gz").astype(np.int64)
        grey = read_idx(source / f"{prefix}-images-idx3-ubyte.gz")
        rows = stratified_rows(labels, num_rows)
        arrays[f"{split}_images"] = np.repeat(grey[rows][..., None], 3, axis=-1)
        arrays[f"{split}_labels"] = labels[rows]
    return StudyData(name="Fashion-MNIST", classes=_CLASSES, **arrays)


def read_idx(path: Path) -> npt.NDArray[np.uint8]:
    """Return the array of an IDX file of bytes."""
    with gzip.open(path) as file:
        kind, num_axes = struct.unpack(">xxBB", file.read(4))
        assert kind == _UNSIGNED_BYTE, path
        shape = struct.unpack(f">{num_axes}I", file.read(4 * num_axes))
        return np.frombuffer(file.read(), dtype=np.uint8).reshape(shape)


def _grid(options: argparse.Namespace) -> Grid:
    given = {
        name: getattr(options, name)
        for name in ("epochs", "width", "architecture", "batch_size", "learning_rate")
    } | {"mixup_alpha": options.mixup_alpha}
    chosen = {name: value for name, value in given.items() if value is not None}
    return Grid(
        methods=tuple(options.methods.split(",")),
        noise_levels=tuple(map(float, options.noise.split(","))),
        noise_kind=options.noise_kind,
        seeds=tuple(map(int, options.seeds.split(","))),
        preset=options.preset,
        options=chosen | parse_options(options.set),
    )


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--methods", default=_METHODS)
    parser.add_argument("--noise", default="0,0.5,0.8")
    parser.add_argument("--noise-kind", default="uniform")
    parser.add_argument("--seeds", default="0,1")
    parser.add_argument("--preset", default="standard")
    parser.add_argument("--num-train", type=int, default=10_000)
    parser.add_argument("--num-test", type=int, default=2_000)
    parser.add_argument("--epochs", type=int)
    parser.add_argument("--width", type=int)
    parser.add_argument("--architecture")
    parser.add_argument("--batch-size", type=int)
    parser.add_argument("--learning-rate", type=float)
    parser.add_argument("--mixup-alpha", type=float)
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE")
    parser.add_argument("--table-only", action="store_true", help="of the finished cells")
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--out", type=Path, default=_OUT)
    return parser.parse_args()


if __name__ == "__main__":
    main()
