"""What the columns of tables of labels are called."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

_PATH_NAMES = ("file_name", "path", "file", "filename", "image", "image_path", "img")
_LABEL_NAMES = ("label", "class", "class_name", "category", "target", "choice", "labels")
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

    def resolve(self, found: Sequence[str]) -> "Columns | None":
        """Return the columns of one table; None if it is no table of labels."""
        path = _first(found, [self.path] if self.path else _PATH_NAMES)
        label = _first(found, [self.label] if self.label else _LABEL_NAMES)
        labels = self._labels(found, has_label=label is not None)
        if path is None or (label is None and not labels):
            return None
        return Columns(
            path=path,
            label=None if labels else label,
            split=_first(found, [self.split] if self.split else _SPLIT_NAMES),
            annotator=_first(found, [self.annotator] if self.annotator else _ANNOTATOR_NAMES),
            labels=labels,
        )

    def _labels(self, found: Sequence[str], *, has_label: bool) -> tuple[str, ...]:
        """Return the columns of several annotators, as named or by their looks."""
        if self.labels:
            named = [_first(found, [name]) for name in self.labels]
            return tuple(name for name in named if name) if all(named) else ()
        if has_label or self.label:
            return ()
        alike = [name for name in found if _is_label_of_annotator(name.strip())]
        return tuple(alike) if len(alike) > 1 else ()


def _is_label_of_annotator(name: str) -> bool:
    is_one = _LABEL_OF_ANNOTATOR.fullmatch(name) is not None
    return is_one and name.casefold() not in _ANNOTATOR_NAMES


def _first(found: Sequence[str], wanted: Sequence[str]) -> str | None:
    by_folded = {name.strip().casefold(): name for name in reversed(found)}
    return next(
        (by_folded[name.casefold()] for name in wanted if name.casefold() in by_folded), None
    )
