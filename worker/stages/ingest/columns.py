"""What the columns of tables are called, and which of them are read."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

import pyarrow as pa

from worker.files.errors import FailureCode, UploadError
from worker.files.names import listed

_PATH_NAMES = (
    "file_name", "path", "file", "filename", "image", "image_path", "image_file_path", "img",
)  # fmt: skip
LABEL_NAMES = ("label", "class", "class_name", "category", "target", "choice", "labels")
_MAX_TABLES_SHOWN = 5
_SPLIT_NAMES = ("split", "subset", "partition")
_ANNOTATOR_NAMES = (
    "annotator", "annotator_id", "annotated_by", "rater", "rater_id", "worker", "worker_id",
    "labeler", "labeller", "coder",
)  # fmt: skip
_LABEL_OF_ANNOTATOR = re.compile(
    r"(label|class)[ _-]?\d+"
    r"|((label|class)[ _-])?(annotator|rater|worker|coder|labell?er)[ _-]?\w+",
    re.ASCII | re.IGNORECASE,
)
"""Such as `label_1`, `annotator2` or `label_worker_a`; two of them at least make a table."""
_IMAGE_NAMES = ("image", "img")
_SPLIT_NAME = "split"


@dataclass(frozen=True, slots=True)
class Columns:
    """The names of columns that the user gave; None: well-known names are looked for."""

    path: str | None = None
    label: str | None = None
    split: str | None = None
    annotator: str | None = None
    """Column of annotators; a file then has one row per annotator."""
    labels: tuple[str, ...] = ()
    """Columns of labels, one per annotator."""

    @classmethod
    def from_spec(cls, values: Mapping[str, Any]) -> "Columns":
        """Read the spec's `columns`."""
        named = {name: values.get(name) for name in cls.__slots__}
        return cls(**named | {"labels": tuple(values.get("labels") or ())})

    @property
    def named(self) -> list[str]:
        """All names that the user gave."""
        one_each = (self.path, self.label, self.split, self.annotator)
        return [*filter(None, one_each), *self.labels]

    def require_in(self, tables: Mapping[str, Sequence[str]]) -> None:
        """Require that each column that the user named is in a table.

        `tables` maps names of tables to their columns.

        Raises:
            UploadError: A column is in no table.
        """
        for name in self.named:
            if not any(find_column(found, [name]) for found in tables.values()):
                raise UploadError(
                    FailureCode.UNKNOWN_COLUMN,
                    f"The column {listed([name])} is not there: {told_columns(tables)}.",
                )

    def resolve(self, found: Sequence[str]) -> "Columns | None":
        """Return the columns of one table; None if it is no table of labels."""
        path = find_column(found, [self.path] if self.path else _PATH_NAMES)
        label = find_column(found, [self.label] if self.label else LABEL_NAMES)
        labels = self._labels(found, has_label=label is not None)
        if path is None or (label is None and not labels):
            return None
        return Columns(
            path=path,
            label=None if labels else label,
            split=find_column(found, [self.split] if self.split else _SPLIT_NAMES),
            annotator=find_column(found, [self.annotator] if self.annotator else _ANNOTATOR_NAMES),
            labels=labels,
        )

    def _labels(self, found: Sequence[str], *, has_label: bool) -> tuple[str, ...]:
        """Return the columns of several annotators, as named or by their looks."""
        if self.labels:
            named = [find_column(found, [name]) for name in self.labels]
            return tuple(name for name in named if name) if all(named) else ()
        if has_label or self.label:
            return ()
        alike = [name for name in found if _is_label_of_annotator(name.strip())]
        return tuple(alike) if len(alike) > 1 else ()


def told_columns(tables: Mapping[str, Sequence[str]]) -> str:
    """List the columns of the first tables, for a sentence."""
    if not tables:
        return "the upload has no table"
    shown = [
        f"{listed([table])} has {listed(found)}"
        for table, found in islice(tables.items(), _MAX_TABLES_SHOWN)
    ]
    return "; ".join(shown)


def means_other_than_label(name: str) -> bool:
    """Tell whether a column of this name would be taken for something else than labels."""
    others = (*_PATH_NAMES, *_SPLIT_NAMES, *_ANNOTATOR_NAMES)
    return find_column([name], others) is not None


def told_choice(what: str, found: Sequence[str], sure: Sequence[str] = ()) -> list[str]:
    """Warn which of several columns was taken, unless its name makes that clear."""
    if len(found) < 2 or found[0] in sure:
        return []
    taken, *others = found
    told = f"Several columns hold {what}: {listed([taken])} was taken, not {listed(others)}."
    return [f"{told} Name the column if that is wrong."]


def _is_label_of_annotator(name: str) -> bool:
    is_one = _LABEL_OF_ANNOTATOR.fullmatch(name) is not None
    return is_one and name.casefold() not in _ANNOTATOR_NAMES


def find_column(found: Sequence[str], wanted: Sequence[str]) -> str | None:
    """Return the first wanted column that the table has, in the table's spelling."""
    by_folded = {name.strip().casefold(): name for name in reversed(found)}
    return next(
        (by_folded[name.casefold()] for name in wanted if name.casefold() in by_folded), None
    )


@dataclass(frozen=True, slots=True)
class ImageColumns:
    """The columns that are read."""

    image: str
    image_fields: frozenset[str]
    """Fields of the image column; empty where the column holds the bytes directly."""
    name: str | None
    """The column of file names, where the user named one."""
    label: str
    class_names: list[str] | None
    split: str | None
    warnings: list[str]

    @property
    def bytes_leaf(self) -> str:
        """Path of the column with the bytes of the images."""
        return f"{self.image}.bytes" if self.image_fields else self.image

    @property
    def other_leaves(self) -> list[str]:
        """Paths of all other columns that are read."""
        path = f"{self.image}.path" if "path" in self.image_fields else None
        return [*filter(None, (self.label, self.split, self.name or path))]

    def file_name(self, record: Mapping[str, Any]) -> str | None:
        """Return the file name of a row."""
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
    """Return the description of the columns that Hugging Face adds to the schema."""
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
