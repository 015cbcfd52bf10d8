"""`python -P -m worker.scores SPEC.json`: one file, then the end of this process."""

import sys
import time
from pathlib import Path

from worker.child import EXIT_INTERRUPTED, StopRequest, emit, fail, read_spec, telling_full_disk
from worker.files.errors import InterruptedReadError
from worker.scores.arrays import INVALID_SCORES, InvalidScoresError, MemoryWall, ScoreLimits
from worker.scores.reading import read_scores

READING_SHARE = 0.5
"""Share of the job's progress."""
_PROGRESS_SECONDS = 0.5


class _Reading:
    """Answers requests to stop, and reports progress."""

    def __init__(self, stop: StopRequest) -> None:
        self._stop = stop
        self._told = time.monotonic()

    def safe_point(self) -> None:
        if self._stop.requested:
            raise InterruptedReadError

    def on_rows(self, share: float) -> None:
        """Report progress twice a second at most."""
        now = time.monotonic()
        if share == 1.0 or now - self._told >= _PROGRESS_SECONDS:
            self._told = now
            emit("progress", fraction=READING_SHARE * share)


@telling_full_disk()
def main() -> None:
    """Read the file and save the checked arrays, or report why the file is refused."""
    spec = read_spec()
    reading = _Reading(StopRequest())
    wall = MemoryWall()
    try:
        read_scores(
            Path(spec["scores"]),
            ScoreLimits(max_rows=spec["max_rows"]),
            wall,
            safe_point=reading.safe_point,
            on_rows=reading.on_rows,
        ).save(Path(spec["out_dir"]))
    except InterruptedReadError:
        sys.exit(EXIT_INTERRUPTED)
    except InvalidScoresError as error:
        fail(INVALID_SCORES, error.detail)


if __name__ == "__main__":
    main()
