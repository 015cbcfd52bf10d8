"""`python -P -m worker.stages.export.child SPEC.json`: one export, then the end of this process."""

from pathlib import Path
from typing import Any

from app.core.durable import write_json
from worker.processes.child import Progress, StopRequest, run
from worker.processes.errors import ChildFailedError
from worker.stages.export.formats import FORMATS
from worker.stages.export.job import ExportJob


def main(spec: dict[str, Any], stop: StopRequest) -> None:
    """Write the file that the spec asks for; say where it is."""
    progress = Progress(stop)
    job = ExportJob.from_json(spec, lambda fraction: progress.tell(fraction=fraction))
    kind = FORMATS[job.options.format]
    target = job.out_dir / f"{job.stem}{kind.suffix}"
    try:
        kind.write(job, target)
    except FileNotFoundError as error:
        detail = f"an image of the data set is not in the store: {_name(error)}"
        raise ChildFailedError("image_missing", detail) from error
    write_json(job.out_dir / "result.json", {"name": target.name, "media_type": kind.media_type})


def _name(error: FileNotFoundError) -> str:
    return Path(str(error.filename)).name


if __name__ == "__main__":
    run(main)
