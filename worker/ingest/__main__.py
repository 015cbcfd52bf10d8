"""`python -P -m worker.ingest SPEC.json`: one upload, then the end of this process."""

import errno
import sys

from worker.child import EXIT_INTERRUPTED, StopRequest, emit, fail, read_spec
from worker.ingest.errors import FailureCode, IngestError, InterruptedIngestError
from worker.ingest.limits import confine_process, cpu_budget_seconds, make_safe_point
from worker.ingest.pipeline import Spec, ingest

_DISK_IS_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})


def main() -> None:
    """Read one upload as the spec says; tell the supervisor how it goes."""
    spec = Spec.from_json(read_spec())
    stop = StopRequest()
    cpu_seconds = cpu_budget_seconds(spec.archive.stat().st_size)
    confine_process(spec.limits, cpu_seconds=cpu_seconds)
    try:
        ingest(spec, safe_point=make_safe_point(stop, cpu_seconds=cpu_seconds), emit=_emit_progress)
    except InterruptedIngestError:
        sys.exit(EXIT_INTERRUPTED)
    except IngestError as error:
        fail(error.code, error.detail)
    except MemoryError:
        fail(FailureCode.ARCHIVE_TOO_LARGE, "Reading the upload takes more memory than allowed.")
    except OSError as error:
        if error.errno not in _DISK_IS_FULL:
            raise
        fail(FailureCode.NO_SPACE, "The disk is full; the upload can be tried again later.")


def _emit_progress(fraction: float, images_per_second: float) -> None:
    emit("progress", fraction=fraction, images_per_second=images_per_second)


if __name__ == "__main__":
    main()
