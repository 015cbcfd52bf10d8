"""`python -P -m worker.stages.score.reader SPEC.json`: one file, then the end of this process."""

from pathlib import Path
from typing import Any

from worker.processes.child import Progress, StopRequest, run
from worker.processes.errors import ChildFailedError
from worker.stages.score.arrays import INVALID_SCORES, InvalidScoresError, MemoryWall, ScoreLimits
from worker.stages.score.reading import read_scores

READING_SHARE = 0.5
"""Share of the job's progress."""


def main(spec: dict[str, Any], stop: StopRequest) -> None:
    """Read the file and save the checked arrays, or report why the file is refused."""
    progress = Progress(stop)

    def on_rows(share: float) -> None:
        progress.tell(at_once=share == 1.0, fraction=READING_SHARE * share)

    wall = MemoryWall()
    try:
        read_scores(
            Path(spec["scores"]),
            ScoreLimits(max_rows=spec["max_rows"]),
            wall,
            safe_point=stop.check,
            on_rows=on_rows,
        ).save(Path(spec["out_dir"]))
    except InvalidScoresError as error:
        raise ChildFailedError(INVALID_SCORES, error.detail) from error


if __name__ == "__main__":
    run(main)
