"""From rows to one file for another tool: this side reads the rows, the child writes the file."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session
from typing_extensions import override

from app.exports.repository import ExportRepository
from app.exports.schemas import HOLDS_IMAGES, ExportFormat
from worker.processes.spawn import Event
from worker.runtime.claim import Lease, RowUpdate
from worker.runtime.publisher import Publisher
from worker.runtime.stage import Stage, StageContext
from worker.stages.export.job import LOG, SAMPLES

_MAX_STEM = 60


class ExportStage(Stage):
    """Writes a data set that is ready."""

    name = "export"
    module = "worker.stages.export.child"

    def __init__(self, context: StageContext) -> None:
        """Work for one attempt."""
        super().__init__(context)
        self._blob_dir: Path | None = None

    @override
    def prepare(self, folder: Path, lease: Lease) -> None:
        """Write what the child needs of the database, row by row."""
        options = self._attempt.options
        wanted = ExportFormat(options["format"])
        with self._context.database.read() as session:
            exports = self._exports(session)
            job_id = options["job_id"]
            version = None if job_id is None else exports.result_version(UUID(job_id))
            with closing(exports.samples(version)) as rows:
                _write_lines(folder / SAMPLES, rows, lease)
            if wanted is ExportFormat.CROISSANT:
                with closing(exports.log()) as rows:
                    _write_lines(folder / LOG, rows, lease)
        names = _image_names(folder / SAMPLES) if wanted in HOLDS_IMAGES else ()
        self._blob_dir = self._context.blobs.bring(names, folder, lease.require_wanted)

    @override
    def spec(self, folder: Path) -> dict[str, Any]:
        with self._context.database.read() as session:
            dataset = self._intake(session).get()
        return {
            "options": self._attempt.options,
            "dataset": {
                "id": str(dataset.id),
                "name": dataset.name,
                "classes": dataset.classes,
                "num_samples": dataset.num_samples,
                "has_images": dataset.image_size is not None,
                "content_hash": dataset.content_hash,
                "agreement": dataset.ingest_report.get("agreement"),
                "created_at": dataset.created_at.isoformat(),
            },
            "stem": _file_stem(dataset.name),
            "blob_dir": str(self._blob_dir),
            "out_dir": str(folder),
        }

    @override
    def translate(self, event: Event) -> RowUpdate:
        return RowUpdate(values={"fraction": event["fraction"]})

    @override
    def publish(self, folder: Path, lease: Lease) -> None:
        result = json.loads((folder / "result.json").read_text())
        publisher = Publisher(self._context, lease)
        artifact = publisher.store(folder / result["name"], "export", result["media_type"])
        with lease.transaction() as session:
            publisher.finish(session, [artifact])

    def _exports(self, session: Session) -> ExportRepository:
        return ExportRepository(session, self._attempt.tenant_id, self._attempt.dataset_id)


def _write_lines(target: Path, rows: Iterable[Mapping[str, Any]], lease: Lease) -> None:
    with target.open("w", encoding="utf-8") as file:
        for row in rows:
            lease.require_wanted()
            # `json.dump` would go through each value in Python
            file.write(json.dumps(row, default=_as_json, separators=(",", ":")) + "\n")


def _image_names(samples: Path) -> Iterator[str]:
    with samples.open(encoding="utf-8") as lines:
        for line in lines:
            sha256 = json.loads(line)["sha256"]
            if sha256 is not None:
                yield sha256


def _as_json(value: object) -> str:
    if isinstance(value, datetime):
        return value.isoformat(timespec="seconds")
    if isinstance(value, UUID):
        return str(value)
    raise TypeError(type(value))


def _file_stem(name: str) -> str:
    """Name a file after its data set, in characters that every system takes."""
    return re.sub(r"[^A-Za-z0-9_-]+", "-", name)[:_MAX_STEM].strip("-") or "dataset"
