"""`python -P -m worker.ingest SPEC.json`: one upload, then the end of this process."""

import sys

from worker.child import EXIT_INTERRUPTED, StopRequest, emit, fail, read_spec, telling_full_disk
from worker.files.errors import FailureCode, InterruptedReadError, UploadError
from worker.files.limits import confine_process, cpu_budget_seconds, make_safe_point
from worker.ingest.pipeline import Spec, ingest


@telling_full_disk()
def main() -> None:
    """Read one upload as the spec says; tell the supervisor how it goes."""
    spec = Spec.from_json(read_spec())
    stop = StopRequest()
    cpu_seconds = cpu_budget_seconds(spec.archive.stat().st_size)
    confine_process(spec.limits, cpu_seconds=cpu_seconds)
    try:
        ingest(spec, safe_point=make_safe_point(stop, cpu_seconds=cpu_seconds), emit=_emit_progress)
    except InterruptedReadError:
        sys.exit(EXIT_INTERRUPTED)
    except UploadError as error:
        fail(error.code, error.detail)
    except MemoryError:
        fail(FailureCode.ARCHIVE_TOO_LARGE, "Reading the upload takes more memory than allowed.")


def _emit_progress(fraction: float, images_per_second: float) -> None:
    emit("progress", fraction=fraction, images_per_second=images_per_second)


if __name__ == "__main__":
    main()
