"""What a step does to its samples, before labels have names."""

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import Select

from app.models import ApiKey, Decision, DecisionEntry, DecisionStep, Exclusion, Sample

Targets = Select[int, int] | Select[int, int | None]
"""The samples of a step: (sample_id, suggested_label)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A decision to come; labels are indexes into the data set's classes."""

    decision: Decision
    label: int | None = None
    accept_suggestion: bool = False
    """Relabel each sample to what the audit suggests for it."""
    reason: Exclusion | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Bulk:
    """One change of many samples, before it is made a step."""

    change: Change
    targets: Targets
    job_id: UUID | None
    comment: str | None
    by_filter: bool
    """Whether nobody need have looked at each of them."""
    expected_count: int | None
    num_named: int | None = None
    """Samples that were named one by one: all of them must be met."""


@dataclass(frozen=True, slots=True)
class Preview:
    """A sample that a step would change, and into what."""

    sample: Sample
    decision: str
    label: int | None


@dataclass(frozen=True, slots=True)
class StepRow:
    """A step with its reviewer's key."""

    step: DecisionStep
    key: ApiKey | None


@dataclass(frozen=True, slots=True)
class LogRow(StepRow):
    """An entry of the log with its step and its sample's path."""

    entry: DecisionEntry
    path: str
