"""What a list of samples can be narrowed to."""

from dataclasses import dataclass

from app.models import Split


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
