"""`FiftyOneImageClassificationDataset`: `data/` and `labels.json`, keyed by file stem."""

import json
from pathlib import Path, PurePosixPath
from typing import Any, TextIO

from worker.stages.export.job import ExportJob, Row
from worker.stages.export.zip_writer import ZipWriter

_ATTRIBUTES = (
    "path", "split", "label_source", "excluded", "decision", "exclusion", "p_mislabeled", "flagged",
    "sure",
)  # fmt: skip


def write_fiftyone(job: ExportJob, target: Path) -> None:
    """Name each file by its sample's id: stems must be unique, and ids are."""
    labels = job.out_dir / "labels.json"
    with ZipWriter(target) as archive, labels.open("w", encoding="utf-8") as file:
        file.write(f'{{"classes": {json.dumps(job.classes)}, "labels": {{')
        for number, row in enumerate(job.rows()):
            suffix = PurePosixPath(row.path).suffix.lower()
            archive.add(f"data/{row.sample_id}{suffix}", job.image(row))
            _write_label(job, row, file, is_first=number == 0)
        file.write("\n}}\n")
        file.flush()
        archive.add_file("labels.json", labels)


def _write_label(job: ExportJob, row: Row, file: TextIO, *, is_first: bool) -> None:
    attributes: dict[str, Any] = {name: getattr(row, name) for name in _ATTRIBUTES}
    attributes["given_label"] = job.classes[row.given_label]
    attributes["suggested_label"] = job.class_name(row.suggested_label)
    known = {name: value for name, value in attributes.items() if value is not None}
    target = {"label": row.label, "attributes": known}
    file.write(f'{"" if is_first else ","}\n"{row.sample_id}": {json.dumps(target)}')
