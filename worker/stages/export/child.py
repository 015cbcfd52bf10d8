"""`python -P -m worker.stages.export.child SPEC.json`: one export, then the end of this process."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app.core.durable import write_json
from app.exports.schemas import ExportFormat
from worker.processes.child import Progress, StopRequest, run
from worker.processes.errors import ChildFailedError
from worker.stages.export.croissant import write_croissant
from worker.stages.export.fiftyone import write_fiftyone
from worker.stages.export.folders import write_imagefolder
from worker.stages.export.job import ExportJob
from worker.stages.export.label_studio import write_label_studio
from worker.stages.export.parquet import write_parquet
from worker.stages.export.tables import write_cleanlab, write_delta, write_jsonl

_ZIP, _CSV = "application/zip", "text/csv; charset=utf-8"


@dataclass(frozen=True, slots=True)
class Format:
    """How to write one format."""

    write: Callable[[ExportJob, Path], None]
    suffix: str
    media_type: str


FORMATS = {
    ExportFormat.CSV: Format(write_delta, ".csv", _CSV),
    ExportFormat.JSONL: Format(write_jsonl, ".jsonl", "application/jsonl"),
    ExportFormat.PARQUET: Format(write_parquet, ".parquet", "application/vnd.apache.parquet"),
    ExportFormat.IMAGEFOLDER: Format(write_imagefolder, ".imagefolder.zip", _ZIP),
    ExportFormat.LABEL_STUDIO: Format(write_label_studio, ".label-studio.json", "application/json"),
    ExportFormat.FIFTYONE: Format(write_fiftyone, ".fiftyone.zip", _ZIP),
    ExportFormat.CLEANLAB: Format(write_cleanlab, ".cleanlab.csv", _CSV),
    ExportFormat.CROISSANT: Format(write_croissant, ".croissant.zip", _ZIP),
}


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
