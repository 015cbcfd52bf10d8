"""The service's answers as plain dictionaries; members that are not named here pass through."""

from typing import Any, Literal, TypeAlias, TypedDict

Report: TypeAlias = dict[str, Any]
JobState: TypeAlias = Literal["queued", "running", "succeeded", "failed", "cancelled"]


class Upload(TypedDict):
    """What an upload is answered with."""

    dataset_id: str
    job_id: str


class JobStarted(TypedDict):
    """What a request for an audit is answered with."""

    job_id: str


class ExportStarted(TypedDict):
    """What a request for an export is answered with."""

    export_id: str
    job_id: str


class Progress(TypedDict):
    """How far a job is."""

    fraction: float
    epoch: int | None
    epochs: int | None
    eta_seconds: float | None
    images_per_second: float | None


class JobProblem(TypedDict):
    """Why a job failed."""

    code: str
    detail: str


class Job(TypedDict):
    """One piece of work."""

    id: str
    kind: str
    dataset_id: str
    state: JobState
    stage: str
    attempt: int
    progress: Progress
    error: JobProblem | None


class Dataset(TypedDict):
    """One uploaded set of labelled images."""

    id: str
    name: str
    state: str
    num_samples: int
    num_rejected: int
    num_duplicates: int
    classes: list[str]
    splits: dict[str, int]
    warnings: list[str]


class RejectedFile(TypedDict):
    """A file of the upload that became no sample."""

    path: str
    code: str
    detail: str


class ClassShare(TypedDict):
    """A class and how probable it is, 0 to 1."""

    label: str
    probability: float


class Finding(TypedDict):
    """What an audit says of one training sample."""

    sample_id: str
    path: str
    given_label: str
    suggested_label: str
    suggested_confidence: float
    p_mislabeled: float | None
    flagged: bool
    sure: bool
    rank: int
    p_clean: float | None
    loss: float
    signals: dict[str, float]
    likely_classes: list[ClassShare]
    verdict: str
    decision: str | None
    decided_label: str | None
    exclusion: str | None
    version: int
    has_image: bool


class Sample(TypedDict):
    """One image with its label."""

    sample_id: str
    dataset_id: str
    path: str
    split: str
    given_label: str
    decision: str | None
    decided_label: str | None
    version: int


class Decision(TypedDict):
    """What is in force for a sample."""

    sample_id: str
    decision: str | None
    label: str | None
    reason: str | None
    version: int
    step_id: int


class Step(TypedDict):
    """One act of a reviewer, undone and redone as a whole."""

    step_id: int
    kind: str
    undone: bool
    num_samples: int
    who: str | None
    comment: str | None
    at: str


class Bulk(TypedDict):
    """What a decision on many samples did, or would do."""

    dry_run: bool
    count: int
    samples: list[dict[str, Any]]
    step: Step | None


class LogEntry(TypedDict):
    """One change of one sample."""

    id: int
    sample_id: str


class ExportFile(TypedDict):
    """The file of a finished export."""

    name: str
    sha256: str
    num_bytes: int


class Export(TypedDict):
    """A data set written for another tool."""

    id: str
    dataset_id: str
    job_id: str
    state: JobState
    file: ExportFile | None


class Webhook(TypedDict):
    """A receiver of messages."""

    id: str
    url: str
    created_at: str
    disabled_at: str | None


class NewWebhook(Webhook):
    """A new receiver; the secret is shown this once."""

    secret: str


class Key(TypedDict):
    """An API key, without the key itself."""

    id: str
    name: str
    scopes: list[str]


class NewKey(Key):
    """A new API key; the key is shown this once."""

    key: str


class Artifact(TypedDict):
    """A file that a job made."""

    name: str
    kind: str
    size: int
    sha256: str
    media_type: str
    url: str


class SigningKey(TypedDict):
    """A public key of the service."""

    key_id: str
    algorithm: str
    public_key: str
    pem: str
    current: bool
    created_at: str


class Prediction(TypedDict):
    """What a model says of one image."""

    index: int
    file: str
    top: list[dict[str, Any]]
    probabilities: dict[str, float] | None
    error: JobProblem | None


class Predictions(TypedDict):
    """What a model says of all images of a request."""

    job_id: str
    model_job_id: str
    classes: list[str]
    items: list[Prediction]
