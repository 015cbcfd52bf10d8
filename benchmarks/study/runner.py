"""Runs the cells of a study that are not finished yet, each as a process, some at a time."""

import os
import tempfile
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any

import ml
from benchmarks import harness
from benchmarks.study.child import write_spec
from benchmarks.study.data import StudyData, make_noise
from benchmarks.study.grid import Cell, Grid
from benchmarks.study.processes import CellFailedError, CellProcesses, StudyProgress, study_progress
from benchmarks.study.results import StudyFolder, read_cell
from labelaudit.errors import InputError, ServiceError

_LONGEST_WAIT = 0.5
"""Seconds. A Ctrl-C that arrives just before a wait without an end is heard only after it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Job:
    cell: Cell
    config: ml.TrainConfig


def run_study(data: StudyData, grid: Grid, out: Path, *, processes: int = 1) -> None:
    """Run every cell that `out` does not hold yet; each becomes a file when it is finished.

    Args:
        data: Images and true labels.
        grid: What to run on them.
        out: Folder of the results; may hold some of an earlier run.
        processes: How many cells run at once. They share the cores, unless `OMP_NUM_THREADS` says
            how many threads each is to have.

    Raises:
        InputError: When the grid cannot be run, or `out` holds a cell of other data or options.
        ServiceError: When cells failed; the others are finished.
    """
    if processes < 1:
        raise InputError("at least one process is needed", code="invalid_option")
    folder, fingerprint = StudyFolder(out), data.fingerprint()
    jobs = [_Job(cell=cell, config=grid.config(cell)) for cell in grid.cells()]
    first = jobs[0].cell  # shows whether the data can have this noise at all
    make_noise(data, kind=first.noise_kind, level=first.noise_level, seed=first.seed)
    open_jobs = [job for job in jobs if not _is_finished(folder, job, fingerprint)]
    folder.prepare()
    with (
        tempfile.TemporaryDirectory(prefix="labelaudit-study-") as name,
        study_progress(len(jobs), num_finished=len(jobs) - len(open_jobs)) as progress,
    ):
        common = _common_spec(data, fingerprint, Path(name), out)
        runner = _Runner(Path(name), common, CellProcesses(threads=_threads(processes)), progress)
        failures = runner.run(open_jobs, processes)
    if failures:
        raise ServiceError(
            f"{len(failures)} of {len(jobs)} cells failed, such as {failures[0]}",
            code="cells_failed",
            hint="the same command runs them again and keeps the finished ones",
        )


def _is_finished(folder: StudyFolder, job: _Job, fingerprint: str) -> bool:
    path = folder.cell(job.cell.name)
    if not path.exists():
        return False
    result = read_cell(path)
    changes = _changes(result["config"], job.config)
    if result["data"]["fingerprint"] != fingerprint:
        changes.append("the data")
    if changes:
        raise InputError(
            f"{path} was made with other settings: {', '.join(changes)}",
            code="settings_changed",
            hint="choose another --out, or remove the cells that are to be run again",
        )
    return True


def _changes(stored: Mapping[str, Any], config: ml.TrainConfig) -> list[str]:
    """Return what differs; options that are younger than the result had their defaults then."""
    names = ml.TrainConfig.__slots__
    try:
        before = ml.TrainConfig(**stored)
    except (TypeError, ValueError):
        return ["options that no longer exist"]
    values = ((name, getattr(before, name), getattr(config, name)) for name in names)
    return [f"{name} was {old}, is {new}" for name, old, new in values if old != new]


def _common_spec(data: StudyData, fingerprint: str, work: Path, out: Path) -> dict[str, Any]:
    data.save(work)
    return {
        "data_dir": str(work),
        "data_name": data.name,
        "classes": data.classes,
        "fingerprint": fingerprint,
        "out": str(out.resolve()),
    }


def _threads(processes: int) -> int:
    chosen = os.environ.get("OMP_NUM_THREADS", "")
    return int(chosen) if chosen.isdecimal() else max(1, harness.num_cores() // processes)


@dataclass(frozen=True, slots=True)
class _Runner:
    """Runs jobs side by side; a failed one does not end the others."""

    work: Path
    common: dict[str, Any]
    processes: CellProcesses
    progress: StudyProgress

    def run(self, jobs: Sequence[_Job], num_at_once: int) -> list[str]:
        """Return what failed, in words."""
        with ThreadPoolExecutor(num_at_once) as executor:
            try:
                futures = [executor.submit(self._run_job, job) for job in jobs]
                _wait_for_all(futures)
            except BaseException:
                executor.shutdown(wait=False, cancel_futures=True)
                self.processes.stop()
                raise
        outcomes = [future.result() for future in futures]
        return [outcome for outcome in outcomes if outcome is not None]

    def _run_job(self, job: _Job) -> str | None:
        name = job.cell.name
        spec = self.work / f"{name}.json"
        write_spec(spec, job.cell, job.config, self.common)
        self.progress.begin(name)
        failure = None
        try:
            self.processes.run(spec, lambda beat: self.progress.beat(name, beat))
        except CellFailedError as error:
            failure = str(error)
        self.progress.end(name, failure)
        return None if failure is None else f"{name}: {failure}"


def _wait_for_all(futures: Sequence[Future[str | None]]) -> None:
    finished: SimpleQueue[Future[str | None]] = SimpleQueue()
    for future in futures:
        future.add_done_callback(finished.put)
    num_open = len(futures)
    while num_open:
        with suppress(Empty):
            finished.get(timeout=_LONGEST_WAIT).result()
            num_open -= 1
