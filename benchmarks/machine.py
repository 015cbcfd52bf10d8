"""What every result says about where it was measured."""

import os
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
