"""What every measurement does the same: say where and with what it ran, keep its result as JSON."""

import argparse
import json
import os
import platform
import subprocess
import sys
from collections.abc import Callable, Iterable
from importlib.metadata import version
from pathlib import Path
from typing import Any

from labelaudit.files import write_json

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "docs" / "results"
_CODE = ("app", "benchmarks", "labelaudit", "ml", "worker")
_LIBRARIES = ("numpy", "scipy")
_CPU_INFO = Path("/proc/cpuinfo")

Result = dict[str, Any]


def facts(options: argparse.Namespace | None = None) -> Result:
    """Return commit, machine, versions and arguments; to be asked before the run.

    Of a path only its last name is kept: where it lies on this machine says nothing to others.
    The version of PyTorch is named where the measurement has loaded it.
    """
    code = code_version()
    found = {
        "commit": code["id"],
        "uncommitted_changes": code["dirty"],
        "processor": cpu_model(),
        "cores": num_cores(),
        "load": round(os.getloadavg()[0], 2),
        **versions(),
    }
    if "torch" in sys.modules:
        found["torch"] = sys.modules["torch"].__version__
    if options is not None:
        found["arguments"] = {
            name: value.name if isinstance(value, Path) else value
            for name, value in vars(options).items()
        }
    return found


def keep(result: Result, file: Path | None) -> None:
    """Write a result where a file is named: whole or not at all."""
    if file is not None:
        file.parent.mkdir(parents=True, exist_ok=True)
        write_json(file, result)


def keep_cell(
    file: Path, settings: Result, measure: Callable[[], Result], *, again: bool
) -> Result:
    """Measure one cell of a long measurement, unless it was measured before; return the result.

    Args:
        file: Where the result is kept.
        settings: What was asked for; a result of other settings does not count.
        measure: Does the work.
        again: Measure even if there is a result.
    """
    if file.exists() and not again:
        kept: Result = json.loads(file.read_text())
        if kept["settings"] == settings:
            return kept
    origin = facts()
    result = {"settings": settings, **origin, **measure()}
    keep(result, file)
    return result


def code_version(root: Path = ROOT) -> Result:
    """Return the commit of the running code, and whether the code differs from it.

    Both are None where the code is not in a working tree of its own, or git is missing.
    """
    top, head = _git(root, "rev-parse", "--show-toplevel"), _git(root, "rev-parse", "HEAD")
    if top is None or head is None or Path(top) != root:
        return {"id": None, "dirty": None}
    changes = _git(root, "status", "--porcelain", "--", *_CODE)
    return {"id": head, "dirty": bool(changes)}


def versions() -> dict[str, str]:
    """Return the versions that figures depend on, without torch, which names its build itself."""
    libraries = {name: version(name) for name in _LIBRARIES}
    return {"python": platform.python_version(), **libraries}


def num_cores() -> int:
    """Return how many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def cpu_model() -> str | None:
    """Return the name of the processor, where the system tells it."""
    lines: Iterable[str] = _CPU_INFO.read_text().splitlines() if _CPU_INFO.exists() else ()
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, None)


def memory_mib(name: str, pid: int | None = None) -> float:
    """Return what the system says of a process's memory: `VmRSS` now, `VmHWM` at most so far."""
    lines = Path(f"/proc/{pid or os.getpid()}/status").read_text().splitlines()
    [line] = [line for line in lines if line.startswith(f"{name}:")]
    return int(line.split()[1]) / 1024


def _git(root: Path, *arguments: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", "-C", str(root), *arguments],  # noqa: S607 - the user's own git
            capture_output=True, text=True, check=True,
        )  # fmt: skip
    except (OSError, subprocess.CalledProcessError):
        return None
    return done.stdout.strip()
