"""Parquet as Hugging Face `datasets` writes it: class names and the image type in the schema."""

import json
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from worker.stages.export.job import ExportJob, Row
from worker.stages.export.tables import described

_GROUP_ROWS = 5_000
_GROUP_BYTES = 64 * 1024**2
_IMAGE = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
_LABELS = ("label", "given_label", "suggested_label")
_TYPES: dict[str, pa.DataType] = {
    "label": pa.int64(),
    "sample_id": pa.string(),
    "path": pa.string(),
    "split": pa.string(),
    "label_source": pa.string(),
    "given_label": pa.int64(),
    "annotations": pa.string(),
    "agreement": pa.float64(),
    "tied": pa.bool_(),
    "excluded": pa.bool_(),
    "decision": pa.string(),
    "exclusion": pa.string(),
    "decided_by": pa.string(),
    "decided_at": pa.string(),
    "decided_under": pa.string(),
    "comment": pa.string(),
    "p_mislabeled": pa.float64(),
    "suggested_label": pa.int64(),
    "suggested_confidence": pa.float64(),
    "flagged": pa.bool_(),
    "sure": pa.bool_(),
}
NAMED_TYPES = {name: pa.string() if name in _LABELS else kind for name, kind in _TYPES.items()}
"""The same columns, with the names of the classes."""
_HF_NAMES = {pa.string(): "string", pa.bool_(): "bool", pa.float64(): "float64"}


def write_parquet(job: ExportJob, target: Path) -> None:
    """Write labels as numbers, with their names in the schema."""
    schema = make_schema(job.classes, has_images=job.has_images)
    write_rows(job, target, schema, _numbered)


def write_named(job: ExportJob, target: Path) -> list[str]:
    """Write labels as names; return the columns, without the image."""
    columns = ({"image": _IMAGE} if job.has_images else {}) | NAMED_TYPES
    write_rows(job, target, pa.schema(list(columns.items())), lambda row: named(job, row))
    return list(NAMED_TYPES)


def write_rows(
    job: ExportJob, target: Path, schema: pa.Schema, record: Callable[[Row], dict[str, Any]]
) -> None:
    """Write one file, with the images where there are such."""
    with RowWriter(target, schema) as writer:
        for row in job.rows():
            values = record(row)
            image = job.image(row) if job.has_images else b""
            if job.has_images:
                values["image"] = {"bytes": image, "path": row.path}
            writer.write(values, num_bytes=len(image))


class RowWriter(ExitStack):
    """Writes rows; a row group never holds much more than 64 MiB of images."""

    def __init__(self, target: Path, schema: pa.Schema) -> None:
        """Write to `target`; the file is complete after the `with` block."""
        super().__init__()
        self._schema = schema
        self._writer = self.enter_context(pq.ParquetWriter(target, schema))
        self._group: list[Mapping[str, Any]] = []
        self._num_bytes = 0
        self.callback(self._end_group)

    def write(self, values: Mapping[str, Any], *, num_bytes: int = 0) -> None:
        """Write a row; `num_bytes` is the size of its image."""
        self._group.append(values)
        self._num_bytes += num_bytes
        if len(self._group) >= _GROUP_ROWS or self._num_bytes >= _GROUP_BYTES:
            self._end_group()

    def _end_group(self) -> None:
        if self._group:
            self._writer.write_table(pa.Table.from_pylist(self._group, self._schema))
        self._group, self._num_bytes = [], 0


def make_schema(classes: list[str], *, has_images: bool) -> pa.Schema:
    """Return the columns, with what `datasets` needs to know them by."""
    columns = ({"image": _IMAGE} if has_images else {}) | _TYPES
    features = {name: _feature(name, kind, classes) for name, kind in columns.items()}
    metadata = {"huggingface": json.dumps({"info": {"features": features}})}
    return pa.schema(list(columns.items()), metadata=metadata)


def _feature(name: str, kind: pa.DataType, classes: list[str]) -> dict[str, Any]:
    if name == "image":
        return {"_type": "Image"}
    if name in _LABELS:
        return {"names": classes, "_type": "ClassLabel"}
    return {"dtype": _HF_NAMES[kind], "_type": "Value"}


def _numbered(row: Row) -> dict[str, Any]:
    return {name: getattr(row, name) for name in _TYPES} | _said(row)


def named(job: ExportJob, row: Row) -> dict[str, Any]:
    """Return a row's values of `NAMED_TYPES`."""
    everything = described(job, row)
    return {name: everything[name] for name in _TYPES} | _said(row)


def _said(row: Row) -> dict[str, str | None]:
    """Return the annotators' labels as JSON: a column of maps is not known to all readers."""
    said = row.annotations
    return {"annotations": None if said is None else json.dumps(said, ensure_ascii=False)}
