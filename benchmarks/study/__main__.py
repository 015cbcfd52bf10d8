"""Compare training methods under planted label noise; ended early, a study continues where it was.

    python -m benchmarks.study [PATH] [--methods ce,mixup] [--noise 0,0.5,0.8] [--seeds 0,1]
        [--epochs N] [--set name=value ...] [--processes P] [--out DIR]

PATH is a folder of class folders or an archive of one; its labels are taken as right. Without it
the data are Fashion-MNIST: Debian's package dataset-fashion-mnist, or the folder that FASHION_MNIST
names. Every cell trains on the same wrong labels of its noise level and seed.
"""

import argparse
import sys
from pathlib import Path

from benchmarks.study.data import StudyData
from benchmarks.study.grid import Grid, parse_list, parse_options
from benchmarks.study.read import read_data, read_fashion_mnist
from benchmarks.study.report import report_study
from benchmarks.study.runner import run_study
from labelaudit.errors import LabelAuditError, ServiceError
from labelaudit.terminal import show_error

_OPTIONS = ("epochs", "architecture", "width", "weights", "mixture_mode")


def main() -> None:
    """Run what is missing, then show all that is finished."""
    options = _parser().parse_args()
    try:
        if not options.table_only:
            _run(options)
        report_study(options.out)
    except KeyboardInterrupt:
        _end(
            ServiceError(
                "stopped before the end",
                code="cancelled",
                hint="the same command continues with the cells that are missing",
            )
        )
    except LabelAuditError as error:
        _end(error)


def _run(options: argparse.Namespace) -> None:
    grid = _grid(options)
    grid.check()  # before a large data set is read
    run_study(_data(options), grid, options.out, processes=options.processes)


def _data(options: argparse.Namespace) -> StudyData:
    limits = {"max_train": options.max_train, "max_test": options.max_test}
    if options.path is None:
        return read_fashion_mnist(**limits)
    return read_data(options.path, **limits, without=options.out)


def _grid(options: argparse.Namespace) -> Grid:
    given = {name: getattr(options, name) for name in _OPTIONS}
    return Grid(
        methods=parse_list(options.methods, str),
        noise_levels=parse_list(options.noise, float),
        noise_kind=options.noise_kind,
        seeds=parse_list(options.seeds, int),
        preset=options.preset,
        options={name: value for name, value in given.items() if value is not None}
        | parse_options(options.set),
    )


def _end(error: LabelAuditError) -> None:
    show_error(error)
    sys.exit(error.exit_code)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.study", description=(__doc__ or "").splitlines()[0]
    )
    add = parser.add_argument
    add("path", nargs="?", type=Path, metavar="PATH", help="class folders, or an archive of them")
    add("--methods", default="ce,mixup,dy-h,dy-gmm,m-dyr-h,md-dyr-sh", help="comma-separated")
    add("--noise", default="0,0.5,0.8", help="noise levels to plant, 0 to 1")
    add("--noise-kind", default="uniform", help="how labels are made wrong")
    add("--seeds", default="0,1", help="every method runs once per seed")
    add("--preset", default="standard", help="standard, or paper: as published")
    add("--epochs", type=int, help="passes over the data")
    add("--architecture", help="network")
    add("--width", type=int, help="channels of the network's first layer")
    add("--weights", help="stored or live")
    add("--mixture", dest="mixture_mode", help="robust or faithful")
    add("--set", action="append", default=[], metavar="NAME=VALUE", help="any training option")
    add("--max-train", type=int, default=10_000, help="most images to train on")
    add("--max-test", type=int, default=2_000, help="most images to test on")
    add("--processes", type=int, default=1, help="trainings at once")
    add("--table-only", action="store_true", help="show the finished cells; run nothing")
    add("--out", type=Path, default=Path("study"), help="folder for the results")
    return parser


if __name__ == "__main__":
    main()
