"""Jobs, their options and events as the API reads and writes them."""

from collections.abc import Callable
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import BeforeValidator, Field
from pydantic_core import PydanticCustomError

from app.core.errors import AppError
from app.core.schemas import InputModel, ReadModel
from app.datasets.schemas import TableColumns
from app.models import AttemptOutcome, Job, JobKind, JobState


class JobFinishedError(AppError):
    """There is nothing left to cancel."""

    status = 409
    code = "job_finished"
    title = "Job already finished"


class JobNotRetryableError(AppError):
    """Only a job that failed or was cancelled can be tried again."""

    status = 409
    code = "job_not_retryable"
    title = "Job cannot be retried"


class TooManyStreamsError(AppError):
    """The tenant has as many event streams open as it may; close one first."""

    status = 429
    code = "too_many_streams"
    title = "Too many event streams"


class StreamsExhaustedError(AppError):
    """All tenants together have as many event streams open as the service holds."""

    status = 503
    code = "streams_exhausted"
    title = "No event stream left"


MAX_EPOCHS = 10_000
MAX_SEED = 2**31 - 1
NO_AUDIT = "none"
"""Value of the upload's `audit` field: only take the data set in."""

OPTION_CODES = frozenset(
    {
        "unknown_preset",
        "unknown_method",
        "invalid_epochs",
        "invalid_seed",
        "unknown_signal",
        "no_usable_signal",
        "invalid_audit_options",
    }
)
"""Validation errors that are a problem's own code."""


class Preset(StrEnum):
    """How much to spend. `auto` picks by image size, and the report says why.

    `quick` trains a head on a pretrained network's features, `standard` a small network. `paper` is
    the published setting: a large network for up to 300 epochs, so for a GPU.
    """

    AUTO = "auto"
    QUICK = "quick"
    STANDARD = "standard"
    PAPER = "paper"


class Method(StrEnum):
    """How to train on labels that may be wrong: the variants of Arazo et al. 2019."""

    CE = "ce"
    MIXUP = "mixup"
    ST_S = "st-s"
    ST_H = "st-h"
    DY_S = "dy-s"
    DY_H = "dy-h"
    DY_GMM = "dy-gmm"
    M_DYR_S = "m-dyr-s"
    M_DYR_H = "m-dyr-h"
    MD_DYR_H = "md-dyr-h"
    MD_DYR_SH = "md-dyr-sh"


class Signal(StrEnum):
    """What labels are judged by, and what is kept of each sample beside the verdict.

    `prediction` and `neighbour_agreement` make `p_mislabeled`: the averaged network's probabilities
    over all epochs, and the labels of the most similar images. The others come from the losses of
    the given label and are for the reader; `disagreement` also makes the verdict `hard`.
    """

    PREDICTION = "prediction"
    NEIGHBOUR_AGREEMENT = "neighbour_agreement"
    POSTERIOR = "posterior"
    MEAN_LOSS = "mean_loss"
    DISAGREEMENT = "disagreement"
    MARGIN = "margin"


_DECISIVE = frozenset({Signal.PREDICTION, Signal.NEIGHBOUR_AGREEMENT})


def _one_of(choices: type[StrEnum], code: str) -> Callable[[object], object]:
    known = ", ".join(choices)

    def check(value: object) -> object:
        if value not in list(choices):
            raise PydanticCustomError(code, "Use one of: {known}.", {"known": known})
        return value

    return check


def _whole_number(low: int, high: int, code: str) -> Callable[[object], object]:
    def check(value: object) -> object:
        # True is an int to Python, not to a user.
        is_number = isinstance(value, int) and not isinstance(value, bool)
        if is_number and value in range(low, high + 1):
            return value
        raise PydanticCustomError(
            code, "Use a whole number from {low} to {high}.", {"low": low, "high": high}
        )

    return check


def _usable_signals(value: object) -> object:
    """Return signals once each, in the order of `Signal`, so that equal choices are equal."""
    if value is None:
        return None
    names = value if isinstance(value, list) else [None]
    if not all(isinstance(name, str) and name in list(Signal) for name in names):
        raise PydanticCustomError(
            "unknown_signal", "Send a list of names out of: {known}.", {"known": ", ".join(Signal)}
        )
    if not _DECISIVE & set(names):
        raise PydanticCustomError(
            "no_usable_signal",
            "Labels are judged by {decisive}: name at least one of them.",
            {"decisive": " and ".join(name for name in Signal if name in _DECISIVE)},
        )
    return [name for name in Signal if name in names]


class JobOptions(InputModel):
    """What an audit can be told; all of it is kept with the job."""

    preset: Annotated[Preset, BeforeValidator(_one_of(Preset, "unknown_preset"))] = Preset.AUTO
    method: Annotated[Method, BeforeValidator(_one_of(Method, "unknown_method"))] = Method.M_DYR_H
    epochs: (
        Annotated[
            int,
            Field(ge=1, le=MAX_EPOCHS),
            BeforeValidator(_whole_number(1, MAX_EPOCHS, "invalid_epochs")),
        ]
        | None
    ) = None
    """Null means as many as the preset says."""
    seed: Annotated[
        int,
        Field(ge=0, le=MAX_SEED),
        BeforeValidator(_whole_number(0, MAX_SEED, "invalid_seed")),
    ] = 0
    signals: Annotated[list[Signal], BeforeValidator(_usable_signals)] | None = None
    """Those to use; one that is not named neither weighs in nor is stored. Null means all."""


class RecalibrateOptions(InputModel):
    """Which audit is to learn."""

    job_id: UUID


class JobCreate(JobOptions):
    """Another audit of a data set that is there already."""

    dataset_id: str

    @property
    def options(self) -> JobOptions:
        """Everything but the data set."""
        return JobOptions.model_validate(self.model_dump(exclude={"dataset_id"}))


class FinishedUpload(InputModel):
    """A resumable upload that is whole, and what is to become of it."""

    upload_id: str
    name: str = ""
    """By default that of the uploaded file."""
    audit: dict[str, Any] | Literal["none"] = Field(default_factory=dict)
    """Job options, or `none` to only store the set."""
    columns: TableColumns = TableColumns()


class FinishedScores(InputModel):
    """A resumable upload of scores that is whole."""

    upload_id: str
    name: str = ""
    """By default that of the uploaded file."""


class SubmissionRead(ReadModel):
    """What an upload started."""

    dataset_id: UUID
    job_id: UUID


class JobCreated(ReadModel):
    """What a request for an audit started."""

    job_id: UUID


class ProgressRead(ReadModel):
    """How far a job is; the fraction is of the whole job."""

    fraction: float
    epoch: int | None
    epochs: int | None
    eta_seconds: float | None
    """Null until it can be told without what starting up took: until two epochs are over."""
    images_per_second: float | None
    metrics: dict[str, Any] | None
    """After the last epoch: `train_loss`, `mean_tracking_loss`, `noise_rate`, `mixture`,
    `loss_histogram` with the counts that the mixture expects."""


class AttemptRead(ReadModel):
    """One claim of the job by one worker."""

    attempt: int
    stage: str | None
    outcome: AttemptOutcome | None
    """Null while it runs."""
    started_at: datetime
    ended_at: datetime | None
    seconds: float | None
    log: str | None
    """End of what its process wrote to standard error; while it runs, as of the last heartbeat."""


class JobErrorRead(ReadModel):
    """Why a job failed."""

    code: str
    detail: str

    @classmethod
    def of(cls, job: Job) -> "JobErrorRead | None":
        """Describe the error of a job that has one."""
        if job.error_code is None:
            return None
        return cls(code=job.error_code, detail=job.error_detail or "")


class JobRead(ReadModel):
    """A job as its row stands."""

    id: UUID
    kind: JobKind
    dataset_id: UUID
    state: JobState
    stage: str
    attempt: int
    lost_attempts: int
    cancel_requested: bool
    queue_position: int | None
    """Place among the waiting jobs of all tenants, from 1; null once it runs."""
    options: dict[str, Any]
    progress: ProgressRead
    error: JobErrorRead | None
    created_at: datetime
    queued_at: datetime
    started_at: datetime | None
    finished_at: datetime | None

    @classmethod
    def of(cls, job: Job, queue_position: int | None = None) -> "JobRead":
        """Describe a row."""
        nested = {
            "progress": ProgressRead.model_validate(job),
            "error": JobErrorRead.of(job),
            "queue_position": queue_position,
        }
        plain = {name: getattr(job, name) for name in cls.model_fields if name not in nested}
        return cls.model_validate(plain | nested)
