"""`python -P -m worker.exporter SPEC.json`: one export, then the end of this process."""

import sys
import time
from pathlib import Path

from app.core.durable import write_json
from worker.child import EXIT_INTERRUPTED, StopRequest, emit, fail, read_spec, telling_full_disk
from worker.exporter.formats import FORMATS
from worker.exporter.job import ExportJob, InterruptedExportError

_PROGRESS_SECONDS = 1.0


class _Progress:
    """Tells the supervisor how far the work is, and stops it where that is wanted."""

    def __init__(self, stop: StopRequest) -> None:
        self._stop = stop
        self._told_at = time.monotonic()

    def __call__(self, fraction: float) -> None:
        if self._stop.requested:
            raise InterruptedExportError
        if time.monotonic() - self._told_at >= _PROGRESS_SECONDS:
            self._told_at = time.monotonic()
            emit("progress", fraction=fraction)


@telling_full_disk()
def main() -> None:
    """Write the file that the spec asks for; say where it is."""
    stop = StopRequest()
    job = ExportJob.from_json(read_spec(), _Progress(stop))
    kind = FORMATS[job.options.format]
    target = job.out_dir / f"{job.stem}{kind.suffix}"
    try:
        kind.write(job, target)
    except InterruptedExportError:
        sys.exit(EXIT_INTERRUPTED)
    except FileNotFoundError as error:
        fail("image_missing", f"an image of the data set is not in the store: {_name(error)}")
    write_json(job.out_dir / "result.json", {"name": target.name, "media_type": kind.media_type})


def _name(error: FileNotFoundError) -> str:
    return Path(str(error.filename)).name


if __name__ == "__main__":
    main()
