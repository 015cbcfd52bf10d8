"""What every result says about where it was measured."""

import os
from pathlib import Path
from typing import Any

from labelaudit.study.facts import code_version, hardware, num_cores, versions


def facts() -> dict[str, Any]:
    """Return commit, hardware and versions."""
    code = code_version()
    return {
        "commit": code["id"],
        "uncommitted_changes": code["dirty"],
        "processor": hardware(device="cpu", threads=num_cores())["cpu"],
        "cores": num_cores(),
        "load": round(os.getloadavg()[0], 2),
        **versions(),
    }


def memory_mib(name: str, pid: int | None = None) -> float:
    """Return what the system says of a process's memory: `VmRSS` now, `VmHWM` at most so far."""
    lines = Path(f"/proc/{pid or os.getpid()}/status").read_text().splitlines()
    [line] = [line for line in lines if line.startswith(f"{name}:")]
    return int(line.split()[1]) / 1024
