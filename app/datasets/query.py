"""What a list of samples can be narrowed to."""

from dataclasses import dataclass
from typing import NamedTuple

from app.models import DuplicateKind, Split


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleFilter:
    """Which samples are wanted; by default all."""

    split: Split | None = None
    label: str | None = None
    """A class name."""
    duplicates: str | None = None
    """A `DuplicateFilter`."""
    max_agreement: float | None = None
    tied: bool | None = None


class SampleRow(NamedTuple):
    """What is told of a sample: plain values, of which pages of hundreds are made."""

    id: int
    position: int
    path: str
    split: Split
    given_label: int
    width: int | None
    height: int | None
    media_type: str | None
    sha256: str | None
    duplicate_group: int | None
    duplicate_kind: DuplicateKind | None
    conflicting: bool
    leaking: bool
    annotations: dict[str, str] | None
    agreement: float | None
    tied: bool
    decision: str | None
    decided_label: int | None
    exclusion: str | None
    version: int
