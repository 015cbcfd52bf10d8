"""Exports as the API reads and writes them."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, Self
from uuid import UUID

from pydantic import Field, model_validator

from app.core.errors import AppError
from app.core.schemas import InputModel, ReadableText, ReadModel
from app.jobs.schemas import JobErrorRead
from app.models import Artifact, Job, JobState, Split


class NoAuditError(AppError):
    """The export needs what an audit says, and none has succeeded."""

    status = 409
    code = "no_audit"
    title = "No finished audit"


class ExportFormat(StrEnum):
    """Who is meant to read it."""

    CSV = "csv"
    """Only the labels that differ from the given ones, and the excluded samples."""
    JSONL = "jsonl"
    PARQUET = "parquet"
    """With the images, as Hugging Face `datasets` has it."""
    IMAGEFOLDER = "imagefolder"
    """Class folders with `metadata.parquet`, zipped."""
    LABEL_STUDIO = "label-studio"
    """Tasks with annotations and predictions."""
    FIFTYONE = "fiftyone"
    """`FiftyOneImageClassificationDataset`, zipped."""
    CLEANLAB = "cleanlab"
    """The columns of cleanlab and of Cleanlab Studio."""
    CROISSANT = "croissant"
    """Croissant 1.1 with the samples and the log of decisions as Parquet, zipped."""


NEEDS_IMAGES = frozenset(
    {ExportFormat.IMAGEFOLDER, ExportFormat.LABEL_STUDIO, ExportFormat.FIFTYONE}
)
"""Are of no use for a data set of scores."""
HOLDS_IMAGES = frozenset(
    {
        ExportFormat.PARQUET,
        ExportFormat.IMAGEFOLDER,
        ExportFormat.FIFTYONE,
        ExportFormat.CROISSANT,
    }
)
"""Have the images themselves in the file, where the data set has any."""


class LabelChoice(StrEnum):
    """Which labels go out."""

    GIVEN = "given"
    DECISIONS = "decisions"
    """Given labels with the reviewers' decisions."""
    SUGGESTIONS = "suggestions"
    """The same, and where nobody has decided and p is high enough, what the audit suggests."""


class ExcludedChoice(StrEnum):
    """What becomes of excluded samples."""

    LEAVE_OUT = "leave_out"
    MARK = "mark"


Text = Annotated[ReadableText, Field(max_length=2000)]


class About(InputModel):
    """What a description of the data set cannot know by itself."""

    description: Text | None = None
    license: Text | None = None
    creator: Text | None = None
    url: Text | None = None


class ExportOptions(InputModel):
    """What goes in; all of it is kept with the job."""

    format: ExportFormat
    labels: LabelChoice = LabelChoice.DECISIONS
    min_p: Annotated[float, Field(strict=True, ge=0, le=1, allow_inf_nan=False)] | None = None
    """Take suggestions from this `p_mislabeled` on."""
    job_id: str | None = None
    """The audit to take findings from; by default the newest that has succeeded."""
    excluded: ExcludedChoice = ExcludedChoice.LEAVE_OUT
    split: Split | None = None
    image_url: Text = "/data/local-files/?d={path}"
    """Where Label Studio finds an image: `{path}` and `{sample_id}` are filled in."""
    about: About = About()
    """For Croissant."""

    @model_validator(mode="after")
    def _threshold_fits(self) -> Self:
        if (self.min_p is None) == (self.labels is LabelChoice.SUGGESTIONS):
            raise ValueError("`suggestions` need min_p, and nothing else takes it.")
        return self


class ExportCreated(ReadModel):
    """What a request for an export started: the export is its job's result."""

    export_id: UUID
    job_id: UUID


class ExportFileRead(ReadModel):
    """The finished file."""

    name: str
    size: int
    sha256: str
    media_type: str
    url: str


class ExportRead(ReadModel):
    """An export and, once it is finished, its file."""

    export_id: UUID
    job_id: UUID
    dataset_id: UUID
    state: JobState
    fraction: float
    options: dict[str, Any]
    error: JobErrorRead | None
    created_at: datetime
    finished_at: datetime | None
    file: ExportFileRead | None

    @classmethod
    def of(cls, job: Job, artifact: Artifact | None) -> "ExportRead":
        """Describe an export's job with its file."""
        file = None
        if artifact is not None:
            file = ExportFileRead(
                name=artifact.name,
                size=artifact.num_bytes,
                sha256=artifact.sha256,
                media_type=artifact.media_type,
                url=f"/v1/exports/{job.id}/download",
            )
        return cls(
            export_id=job.id,
            job_id=job.id,
            dataset_id=job.dataset_id,
            state=job.state,
            fraction=job.fraction,
            options=job.options,
            error=JobErrorRead.of(job),
            created_at=job.created_at,
            finished_at=job.finished_at,
            file=file,
        )
