"""Results that are kept one by one, so that a long measurement may be ended and gone on with."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from benchmarks.machine import facts

RESULTS = Path(__file__).resolve().parents[1] / "docs" / "results"

Result = dict[str, Any]


def keep_cell(
    file: Path, settings: Result, measure: Callable[[], Result], *, again: bool
) -> Result:
    """Return what was measured with these settings: before, or else now, and then keep it.

    Args:
        file: Where the result is kept, as JSON.
        settings: What was asked for; a result of other settings does not count.
        measure: Does the work.
        again: Measure even if there is a result.
    """
    if file.exists() and not again:
        kept: Result = json.loads(file.read_text())
        if kept["settings"] == settings:
            return kept
    origin = facts() | {"torch": torch.__version__}  # before the run: of the code that is run
    result = {"settings": settings, **origin, **measure()}
    file.parent.mkdir(parents=True, exist_ok=True)
    unfinished = file.with_suffix(".part")
    unfinished.write_text(json.dumps(result, indent=1) + "\n")
    unfinished.replace(file)
    return result
