"""What the columns of tables of labels are called."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

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


@dataclass(frozen=True, slots=True)
class Columns:
    """What the user calls the columns; by default well-known names are looked for."""

    path: str | None = None
    label: str | None = None
    split: str | None = None
    annotator: str | None = None
    """Tells whose label a row holds; a file then has a row for each."""
    labels: tuple[str, ...] = ()
    """Several columns of labels, each of one annotator."""

    @classmethod
    def from_spec(cls, values: Mapping[str, Any]) -> "Columns":
        """Read the spec's `columns`."""
        named = {name: values.get(name) for name in cls.__slots__}
        return cls(**named | {"labels": tuple(values.get("labels") or ())})

    @property
    def named(self) -> list[str]:
        """All that the user named."""
        one_each = (self.path, self.label, self.split, self.annotator)
        return [*filter(None, one_each), *self.labels]

    def require_in(self, tables: Mapping[str, Sequence[str]]) -> None:
        """Go on only with tables that have each column that the user named.

        `tables` are their columns by their names.

        Raises:
            UploadError: One is in none of them.
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
    """Say which columns there are."""
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
    """Say which of several columns was taken, if its name is not reason enough."""
    if len(found) < 2 or found[0] in sure:
        return []
    taken, *others = found
    told = f"Several columns hold {what}: {listed([taken])} was taken, not {listed(others)}."
    return [f"{told} Name the column if that is wrong."]


def _is_label_of_annotator(name: str) -> bool:
    is_one = _LABEL_OF_ANNOTATOR.fullmatch(name) is not None
    return is_one and name.casefold() not in _ANNOTATOR_NAMES


def find_column(found: Sequence[str], wanted: Sequence[str]) -> str | None:
    """Return the first of the wanted columns that is there, as the table writes it."""
    by_folded = {name.strip().casefold(): name for name in reversed(found)}
    return next(
        (by_folded[name.casefold()] for name in wanted if name.casefold() in by_folded), None
    )
