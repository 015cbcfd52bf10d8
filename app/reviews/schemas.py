"""Decisions and their history as the API reads and writes them."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Self
from uuid import UUID

from pydantic import Field, Strict, model_validator

from app.core.errors import AppError
from app.core.ids import format_sample_id
from app.core.pagination import RowNumber
from app.core.schemas import Flag, InputModel, ReadableText, ReadModel
from app.findings.query import DecisionFilter, Verdict
from app.models import Decision, Exclusion, StepKind
from app.reviews.changes import LogRow, Preview, StepRow


class VersionConflictError(AppError):
    """Somebody decided in between: look again before you overwrite it."""

    status = 412
    code = "version_conflict"
    title = "Sample changed meanwhile"


class CountChangedError(AppError):
    """The filter meets other samples than the dry run showed."""

    status = 412
    code = "count_changed"
    title = "Number of samples changed"


class NoSuggestionError(AppError):
    """The audit says nothing of some of the samples."""

    status = 422
    code = "no_suggestion"
    title = "No suggestion to accept"


class NothingToRevertError(AppError):
    """There is no step to undo, or to redo."""

    status = 409
    code = "nothing_to_revert"
    title = "Nothing to undo or redo"


class StepStateError(AppError):
    """The step is undone already, or it is not undone."""

    status = 409
    code = "step_state"
    title = "Step is in that state already"


class StepOvertakenError(AppError):
    """Samples of the step were decided again since; undo that first."""

    status = 409
    code = "step_overtaken"
    title = "Later decisions stand on this one"


MAX_SELECTED = 20_000
"""Samples named one by one in one request; a filter may meet any number."""


Comment = Annotated[ReadableText, Field(max_length=500)]
Probability = Annotated[float, Field(strict=True, ge=0, le=1, allow_inf_nan=False)]


class LogOrder(StrEnum):
    """Orders of the log."""

    OLDEST_FIRST = "id"
    NEWEST_FIRST = "-id"


class DecisionFields(InputModel):
    """What is decided, and why."""

    decision: Decision
    label: str | None = None
    """The right class, to `relabel`. To relabel to the given label is to keep it."""
    reason: Exclusion | None = None
    """Why to `exclude`."""
    comment: Comment | None = None

    @model_validator(mode="after")
    def _reason_fits(self) -> Self:
        if self.reason is not None and self.decision is not Decision.EXCLUDE:
            raise ValueError("Only `exclude` takes a reason.")
        return self


class OneDecision(DecisionFields):
    """A decision on one sample, which somebody looked at."""

    @model_validator(mode="after")
    def _label_fits(self) -> Self:
        if (self.label is None) == (self.decision is Decision.RELABEL):
            raise ValueError("`relabel` needs a label, and nothing else takes one.")
        return self


class DecisionWrite(OneDecision):
    """A decision on one sample of the queue."""

    job_id: str | None = None
    """The audit whose results the reviewer saw."""
    resolves: Flag = False
    """Settle what two reviewers see differently: this decision holds."""


class SampleVersion(InputModel):
    """A sample as the reviewer saw it."""

    sample_id: str
    version: Annotated[RowNumber, Strict()]


class BulkFilter(InputModel):
    """The filters of an audit's findings. Without `decision`, only undecided samples are met."""

    flagged: Flag | None = None
    sure: Flag | None = None
    min_p: Probability | None = None
    max_p: Probability | None = None
    min_posterior: Probability | None = None
    label: str | None = None
    suggested_label: str | None = None
    decision: DecisionFilter = DecisionFilter.NONE
    verdict: Verdict | None = None


class BulkWrite(DecisionFields):
    """One decision on many samples: all of them, or none where anything is in the way."""

    job_id: str | None = None
    """The audit whose results the reviewer saw."""
    samples: Annotated[list[SampleVersion], Field(max_length=MAX_SELECTED)] | None = None
    filter: BulkFilter | None = None
    accept_suggestion: Flag = False
    """Relabel each sample to what the audit suggests for it. Of what a filter meets, certain
    conflicts are left out: which label of a picture is right is for eyes to tell."""
    dry_run: Flag = False
    """Change nothing; tell how many samples would change and show some, drawn at random."""
    expected_count: Annotated[int, Field(strict=True, ge=0)] | None = None
    """Refuse (412) if not this many samples would change: the count of the dry run."""

    @model_validator(mode="after")
    def _targets_fit(self) -> Self:
        if (self.samples is None) == (self.filter is None):
            raise ValueError("Send either samples or a filter.")
        if self.job_id is None and (self.filter is not None or self.accept_suggestion):
            raise ValueError("A filter and a suggestion are of an audit: send its job_id.")
        if self.samples and len({item.sample_id for item in self.samples}) < len(self.samples):
            raise ValueError("Name each sample once.")
        return self

    @model_validator(mode="after")
    def _label_fits(self) -> Self:
        labelled = (self.label is not None) + self.accept_suggestion
        if labelled != (self.decision is Decision.RELABEL):
            raise ValueError("`relabel` needs a label or accept_suggestion; nothing else does.")
        return self


class StepChoice(InputModel):
    """Which step to undo or redo; by default the last one."""

    step_id: Annotated[RowNumber, Strict()] | None = None
    mine: Flag = False
    """By default, look for the last step of anybody; else of this key."""


class DecisionValue(ReadModel):
    """A decision; all null where there is none."""

    decision: str | None
    label: str | None
    reason: str | None

    @classmethod
    def of(
        cls, decision: str | None, label: int | None, reason: str | None, classes: list[str]
    ) -> "DecisionValue":
        """Put the class's name for its index."""
        name = None if label is None else classes[label]
        return cls(decision=decision, label=name, reason=reason)


class DecisionRead(DecisionValue):
    """What is in force for a sample now."""

    sample_id: str
    version: int
    step_id: int


class StepRead(ReadModel):
    """One act of a reviewer."""

    step_id: int
    kind: StepKind
    target_step_id: int | None
    undone: bool
    num_samples: int
    job_id: UUID | None
    key_id: str | None
    who: str | None
    comment: str | None
    at: datetime

    @classmethod
    def of(cls, row: StepRow) -> "StepRead":
        """Describe a row."""
        step = row.step
        return cls(
            step_id=step.id,
            kind=step.kind,
            target_step_id=step.target_id,
            undone=step.undone,
            num_samples=step.num_samples,
            job_id=step.job_id,
            key_id=step.key_id,
            who=None if row.key is None else row.key.name,
            comment=step.comment,
            at=step.created_at,
        )


class PreviewRead(ReadModel):
    """A sample that would change."""

    sample_id: str
    path: str
    given_label: str
    before: Annotated[DecisionValue, Field(serialization_alias="from")]
    after: Annotated[DecisionValue, Field(serialization_alias="to")]
    version: int

    @classmethod
    def of(cls, row: Preview, reason: str | None, classes: list[str]) -> "PreviewRead":
        """Describe a row."""
        sample = row.sample
        return cls(
            sample_id=format_sample_id(sample.id),
            path=sample.path,
            given_label=classes[sample.given_label],
            before=DecisionValue.of(
                sample.decision, sample.decided_label, sample.exclusion, classes
            ),
            after=DecisionValue.of(row.decision, row.label, reason, classes),
            version=sample.version,
        )


class BulkRead(ReadModel):
    """What a bulk decision did, or would do."""

    dry_run: bool
    count: int
    samples: list[PreviewRead]
    """Of a dry run: some of the samples, drawn at random."""
    step: StepRead | None


class LogEntryRead(ReadModel):
    """How one step changed one sample."""

    id: int
    step_id: int
    kind: StepKind
    target_step_id: int | None
    sample_id: str
    path: str
    before: Annotated[DecisionValue, Field(serialization_alias="from")]
    after: Annotated[DecisionValue, Field(serialization_alias="to")]
    version: int
    job_id: UUID | None
    key_id: str | None
    who: str | None
    comment: str | None
    at: datetime

    @classmethod
    def of(cls, row: LogRow, classes: list[str]) -> "LogEntryRead":
        """Describe a row."""
        entry = row.entry
        return cls(
            id=entry.id,
            sample_id=format_sample_id(entry.sample_id),
            path=row.path,
            before=DecisionValue.of(
                entry.from_decision, entry.from_label, entry.from_reason, classes
            ),
            after=DecisionValue.of(entry.to_decision, entry.to_label, entry.to_reason, classes),
            version=entry.version,
            **StepRead.of(row).model_dump(exclude={"undone", "num_samples"}),
        )
