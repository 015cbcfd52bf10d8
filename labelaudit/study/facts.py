"""Where a result comes from: code, versions, hardware."""

import os
import platform
import subprocess
from collections.abc import Iterable
from importlib.metadata import version
from pathlib import Path
from typing import Any

_ROOT = Path(__file__).resolve().parents[2]
_CODE = ("benchmarks", "labelaudit", "ml", "worker")
_LIBRARIES = ("numpy", "scipy")
_CPU_INFO = Path("/proc/cpuinfo")


def code_version(root: Path = _ROOT) -> dict[str, Any]:
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


def hardware(*, device: str, threads: int) -> dict[str, Any]:
    """Return what a cell was run on."""
    return {
        "machine": platform.machine(),
        "cpu": _cpu_model(),
        "cores": num_cores(),
        "device": device,
        "threads": threads,
    }


def num_cores() -> int:
    """Return how many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _cpu_model() -> str | None:
    lines: Iterable[str] = _CPU_INFO.read_text().splitlines() if _CPU_INFO.exists() else ()
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, None)


def _git(root: Path, *arguments: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", "-C", str(root), *arguments],  # noqa: S607 - the user's own git
            capture_output=True, text=True, check=True,
        )  # fmt: skip
    except (OSError, subprocess.CalledProcessError):
        return None
    return done.stdout.strip()
