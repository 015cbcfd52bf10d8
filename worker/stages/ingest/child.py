"""`python -P -m worker.stages.ingest.child SPEC.json`: one upload, then the end of this process."""

from typing import Any

from worker.files.errors import FailureCode, UploadError
from worker.files.limits import confine_process, cpu_budget_seconds, make_safe_point
from worker.processes.child import StopRequest, emit, run
from worker.processes.errors import ChildFailedError
from worker.stages.ingest.pipeline import Spec, ingest


def main(values: dict[str, Any], stop: StopRequest) -> None:
    """Read one upload as the spec says, and report how far it is."""
    spec = Spec.from_json(values)
    cpu_seconds = cpu_budget_seconds(spec.archive.stat().st_size)
    confine_process(spec.limits, cpu_seconds=cpu_seconds)
    try:
        ingest(spec, safe_point=make_safe_point(stop, cpu_seconds=cpu_seconds), emit=_emit_progress)
    except UploadError as error:
        raise ChildFailedError(error.code, error.detail) from error
    except MemoryError as error:
        detail = "Reading the upload takes more memory than allowed."
        raise ChildFailedError(FailureCode.ARCHIVE_TOO_LARGE, detail) from error


def _emit_progress(fraction: float, images_per_second: float) -> None:
    emit("progress", fraction=fraction, images_per_second=images_per_second)


if __name__ == "__main__":
    run(main)
