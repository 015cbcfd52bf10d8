"""`labelaudit study`: from the command line to a grid, its table and its pictures."""
# ruff: noqa: PLC0415 - numpy, torch and matplotlib load only once they are known to be there

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, TypeVar

from labelaudit.errors import InputError, ServiceError
from labelaudit.extras import require_worker

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyRequest:
    """What the user asked for, as text where it is a list."""

    source: Path | None
    """A folder of class folders, or an archive of one; their labels are taken as right."""
    out: Path
    methods: str
    noise_levels: str
    noise_kind: str
    seeds: str
    preset: str
    options: Mapping[str, object]
    """Fields of `ml.TrainConfig`; None leaves one to the preset."""
    option_texts: Sequence[str]
    """More of them, as `name=value`."""
    max_train: int | None
    max_test: int | None
    processes: int


def show_study(out: Path) -> None:
    """Show the cells that are finished, as they are."""
    _require_study()
    from labelaudit.study.report import report_study

    report_study(out)


def run_requested_study(request: StudyRequest) -> None:
    """Run what is missing of a study, then show all of it."""
    source = _check_source(request.source)
    axes: dict[str, Any] = {
        "methods": parse_list(request.methods, str),
        "noise_levels": parse_list(request.noise_levels, float),
        "noise_kind": request.noise_kind,
        "seeds": parse_list(request.seeds, int),
    }
    _require_study()
    from labelaudit.study.grid import Grid
    from labelaudit.study.options import parse_options
    from labelaudit.study.read import read_data
    from labelaudit.study.report import report_study
    from labelaudit.study.runner import run_study

    given = {name: value for name, value in request.options.items() if value is not None}
    options = {**given, **parse_options(request.option_texts)}
    grid = Grid(**axes, preset=request.preset, options=options)
    grid.check()  # before a large data set is read
    out = request.out
    with _stopped_by_ctrl_c():
        data = read_data(
            source, max_train=request.max_train, max_test=request.max_test, without=out
        )
        run_study(data, grid, out, processes=request.processes)
        report_study(out)


def _check_source(source: Path | None) -> Path:
    if source is None:
        raise InputError("the images' PATH is missing", code="missing_path")
    if not source.exists():
        raise InputError(f"there is no {source}", code="not_found")
    return source


def parse_list(text: str, kind: Callable[[str], T]) -> tuple[T, ...]:
    """Return the values of a list with commas.

    Raises:
        InputError: When one cannot be read.
    """
    try:
        return tuple(kind(part.strip()) for part in text.split(","))
    except ValueError as error:
        raise InputError(f"cannot read the list {text!r}", code="invalid_option") from error


def _require_study() -> None:
    require_worker()
    if find_spec("matplotlib") is None:
        raise InputError(
            "the pictures need matplotlib, which is not installed",
            code="missing_extra",
            hint="pip install 'labelaudit[study]'",
        )


@contextmanager
def _stopped_by_ctrl_c() -> Iterator[None]:
    try:
        yield
    except KeyboardInterrupt as interrupt:
        raise ServiceError(
            "stopped before the end",
            code="cancelled",
            hint="the same command goes on with the cells that are missing",
        ) from interrupt
