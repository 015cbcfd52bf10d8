"""Label Studio tasks: the label as an annotation, the audit's suggestion as a prediction.

The project's configuration, with one `<Choice value="…"/>` for each class:
`<View><Image name="image" value="$image"/><Choices name="choice" toName="image"/></View>`
"""

import json
from pathlib import Path
from typing import Any
from urllib.parse import quote

from worker.stages.export.job import ExportJob, Row
from worker.stages.ingest.label_studio import ANNOTATOR_NOTE


def write_label_studio(job: ExportJob, target: Path) -> None:
    """Write a JSON array, one task at a time."""
    with target.open("w", encoding="utf-8") as file:
        file.write("[")
        for number, row in enumerate(job.rows()):
            file.write(",\n" if number else "\n")
            file.write(json.dumps(_task(job, row), ensure_ascii=False))
        file.write("\n]\n")


def _task(job: ExportJob, row: Row) -> dict[str, Any]:
    number = int(row.sample_id[1:], 16)
    image_url = job.options.image_url
    for name, value in (("path", row.path), ("sample_id", row.sample_id)):
        image_url = image_url.replace(f"{{{name}}}", quote(value))
    return {
        "id": number,
        "data": {
            "image": image_url,
            "sample_id": row.sample_id,
            "path": row.path,
            "split": row.split,
            "given_label": job.classes[row.given_label],
            "p_mislabeled": row.p_mislabeled,
            "annotators": row.annotations,
            "agreement": row.agreement,
        },
        "annotations": _annotations(job, row, number),
        "predictions": [] if row.suggested_label is None else [_prediction(job, row, number)],
    }


def _annotations(job: ExportJob, row: Row, number: int) -> list[dict[str, Any]]:
    """Return what each annotator said, or, where that is no longer the label, the label."""
    if row.annotations is None or row.label_source != "given":
        return [_annotation(row, number, f"a{row.sample_id}", job.classes[row.label])]
    return [
        _annotation(row, number, f"a{row.sample_id}-{place}", label, annotator=name)
        for place, (name, label) in enumerate(row.annotations.items(), start=1)
    ]


def _annotation(
    row: Row, number: int, result_id: str, label: str, *, annotator: str | None = None
) -> dict[str, Any]:
    result = _choice(result_id, label)
    if annotator is not None:
        result["meta"] = {"text": [f"{ANNOTATOR_NOTE}{annotator}"]}
    return {
        "id": number,
        "completed_by": 1,
        "was_cancelled": row.excluded,
        "ground_truth": row.label_source == "decision",
        "result": [result],
    }


def _prediction(job: ExportJob, row: Row, number: int) -> dict[str, Any]:
    return {
        "id": number,
        "model_version": job.options.job_id,
        "score": row.suggested_confidence,
        "result": [_choice(f"p{row.sample_id}", str(job.class_name(row.suggested_label)))],
    }


def _choice(result_id: str, name: str) -> dict[str, Any]:
    return {
        "id": result_id,
        "type": "choices",
        "from_name": "choice",
        "to_name": "image",
        "value": {"choices": [name]},
    }
