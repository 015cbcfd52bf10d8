"""Which columns of a Parquet file hold images, and which say what they are."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from worker.files.errors import FailureCode, UploadError
from worker.ingest.columns import LABEL_NAMES, Columns, find_column, told_choice

_IMAGE_NAMES = ("image", "img")
_SPLIT_NAME = "split"


@dataclass(frozen=True, slots=True)
class ImageColumns:
    """The columns that are read."""

    image: str
    image_fields: frozenset[str]
    """Parts of the image's column; none where it holds the bytes themselves."""
    name: str | None
    """The column of the files' names, where the user named one."""
    label: str
    class_names: list[str] | None
    split: str | None
    warnings: list[str]

    @property
    def bytes_leaf(self) -> str:
        """Where the bytes of the images are."""
        return f"{self.image}.bytes" if self.image_fields else self.image

    @property
    def other_leaves(self) -> list[str]:
        """Where the rest is."""
        path = f"{self.image}.path" if "path" in self.image_fields else None
        return [*filter(None, (self.label, self.split, self.name or path))]

    def file_name(self, record: Mapping[str, Any]) -> str | None:
        """Return what a row calls its file."""
        value = record.get(self.name or self.image)
        if isinstance(value, dict):
            value = value.get("path")
        return value if isinstance(value, str) else None


def find_image_columns(schema: pa.Schema, wanted: Columns, table: str) -> ImageColumns | None:
    """Return the columns, first of all those that the user named; None if it holds no images.

    Raises:
        UploadError: It does, and lacks a column that the user named.
    """
    features = features_of(schema)
    images = _image_columns(schema, features)
    if not images:
        return None
    _require(wanted, schema, table)
    path = _named(schema, wanted.path)
    label = _named(schema, wanted.label)
    labels = [label] if label else _label_columns(schema, features)
    if not labels:
        return None
    image = path if path in images else images[0]
    return ImageColumns(
        image=image,
        image_fields=_fields_of(schema, image),
        name=None if path == image else path,
        label=labels[0],
        class_names=class_names_of(features, labels[0]),
        split=_named(schema, wanted.split or _SPLIT_NAME),
        warnings=[
            *told_choice("images", [image] if path == image else images, _IMAGE_NAMES),
            *told_choice("labels", labels, LABEL_NAMES[:1]),
        ],
    )


def features_of(schema: pa.Schema) -> dict[str, dict[str, Any]]:
    """Return what Hugging Face says of the columns, beside the schema."""
    try:
        told = json.loads((schema.metadata or {}).get(b"huggingface", b"{}"))
        features = told["info"]["features"]
    except (ValueError, RecursionError, KeyError, TypeError):
        return {}
    if not isinstance(features, dict):
        return {}
    return {name: kind for name, kind in features.items() if isinstance(kind, dict)}


def class_names_of(features: Mapping[str, Mapping[str, Any]], column: str) -> list[str] | None:
    """Return the names of the classes whose numbers a column holds."""
    names = features.get(column, {}).get("names")
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        return None
    return names


def _require(wanted: Columns, schema: pa.Schema, table: str) -> None:
    if wanted.annotator or wanted.labels:
        raise UploadError(
            FailureCode.UNKNOWN_COLUMN,
            f"'{table}' holds the images themselves: of several annotators' labels only tables "
            "beside the images can tell.",
        )
    wanted.require_in({table: schema.names})


def _named(schema: pa.Schema, name: str | None) -> str | None:
    return find_column(schema.names, [name]) if name else None


def _image_columns(schema: pa.Schema, features: Mapping[str, Any]) -> list[str]:
    """Return the columns of images, the likeliest first."""
    found = [name for name in schema.names if _holds_images(schema, features, name)]
    return sorted(found, key=lambda name: name not in _IMAGE_NAMES)


def _label_columns(schema: pa.Schema, features: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Return the columns that can be labels, the likeliest first."""
    known = [find_column(schema.names, [name]) for name in LABEL_NAMES]
    classes = [name for name in schema.names if features.get(name, {}).get("_type") == "ClassLabel"]
    return list(dict.fromkeys(name for name in (*known, *classes) if name is not None))


def _holds_images(schema: pa.Schema, features: Mapping[str, Any], name: str) -> bool:
    kind = schema.field(name).type
    if pa.types.is_struct(kind):
        at = kind.get_field_index("bytes")
        return at >= 0 and _is_binary(kind.field(at).type)
    is_image = features.get(name, {}).get("_type") == "Image" or name in _IMAGE_NAMES
    return is_image and _is_binary(kind)


def _fields_of(schema: pa.Schema, name: str) -> frozenset[str]:
    kind = schema.field(name).type
    return frozenset(field.name for field in kind) if pa.types.is_struct(kind) else frozenset()


def _is_binary(kind: pa.DataType) -> bool:
    return bool(pa.types.is_binary(kind) or pa.types.is_large_binary(kind))
