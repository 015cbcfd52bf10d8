"""The service's answers as dictionaries; they may have more members than are named here.

Made from docs/api/openapi.json by `make api-docs`; do not edit.
"""

from typing import Any, Literal, TypeAlias, TypedDict

Report: TypeAlias = dict[str, Any]
"""docs/guide/report.md explains its members."""


class Artifact(TypedDict):
    """A file that an audit made."""

    kind: str
    media_type: str
    name: str
    sha256: str
    size: int
    url: str


class DecisionValue(TypedDict):
    """A decision; all null where there is none."""

    decision: str | None
    label: str | None
    reason: str | None


Preview = TypedDict(
    "Preview",
    {
        "from": DecisionValue,
        "given_label": str,
        "path": str,
        "sample_id": str,
        "to": DecisionValue,
        "version": int,
    },
)
"""A sample that would change."""

StepKind: TypeAlias = Literal["decide", "undo", "redo"]
"""How a step changed its samples."""


class Step(TypedDict):
    """One act of a reviewer."""

    at: str
    comment: str | None
    job_id: str | None
    key_id: str | None
    kind: StepKind
    num_samples: int
    step_id: int
    target_step_id: int | None
    undone: bool
    who: str | None


class Bulk(TypedDict):
    """What a bulk decision did, or would do."""

    count: int
    dry_run: bool
    samples: list[Preview]
    step: Step | None


class Annotator(TypedDict):
    """One annotator's labels, beside those of the others."""

    agreement: float | None
    name: str
    num_labels: int


class Agreement(TypedDict):
    """How far several annotators agree, over the samples that at least two of them labelled."""

    annotators: list[Annotator]
    krippendorff_alpha: float | None
    mean_agreement: float | None
    num_annotators: int
    num_compared: int
    num_tied: int


DuplicateKind: TypeAlias = Literal["exact", "near"]
"""Whether another sample has the same file, or only the same picture."""


class DuplicateGroup(TypedDict):
    """Samples that show one picture; with different labels at least one of them is wrong."""

    conflicting: bool
    group: int | None
    kind: DuplicateKind
    labels: list[str]
    leaking: bool
    num_samples: int
    paths: list[str]
    sha256: str


DatasetState: TypeAlias = Literal["pending", "ready", "failed", "deleting"]
"""Where a data set is on its way in."""


class Upload(TypedDict):
    """The archive as it came."""

    name: str
    num_bytes: int
    sha256: str


class Dataset(TypedDict):
    """A data set with what its ingest found."""

    agreement: Agreement | None
    classes: list[str]
    content_hash: str | None
    created_at: str
    duplicates: list[DuplicateGroup]
    id: str
    image_size: int | None
    name: str
    num_conflicting: int
    num_duplicates: int
    num_leaking: int
    num_near_duplicates: int
    num_rejected: int
    num_samples: int
    parent_id: str | None
    splits: dict[str, int]
    state: DatasetState
    upload: Upload
    version: int
    warnings: list[str]


class DatasetSummary(TypedDict):
    """A data set in a list."""

    classes: list[str]
    content_hash: str | None
    created_at: str
    id: str
    image_size: int | None
    name: str
    num_duplicates: int
    num_rejected: int
    num_samples: int
    parent_id: str | None
    splits: dict[str, int]
    state: DatasetState
    upload: Upload
    version: int


class Decision(TypedDict):
    """What is in force for a sample now."""

    decision: str | None
    label: str | None
    reason: str | None
    sample_id: str
    step_id: int
    version: int


ExcludedChoice: TypeAlias = Literal["leave_out", "mark"]
"""What becomes of excluded samples."""


class JobError(TypedDict):
    """Why a job failed."""

    code: str
    detail: str


class ExportFile(TypedDict):
    """The finished file."""

    media_type: str
    name: str
    sha256: str
    size: int
    url: str


JobState: TypeAlias = Literal["queued", "running", "succeeded", "failed", "cancelled"]
"""The states of a job; the last three are final."""


class Export(TypedDict):
    """An export and, once it is finished, its file."""

    created_at: str
    dataset_id: str
    error: JobError | None
    export_id: str
    file: ExportFile | None
    finished_at: str | None
    fraction: float
    job_id: str
    options: dict[str, Any]
    state: JobState


class ExportCreated(TypedDict):
    """What a request for an export started: the export is its job's result."""

    export_id: str
    job_id: str


ExportFormat: TypeAlias = Literal[
    "csv", "jsonl", "parquet", "imagefolder", "label-studio", "fiftyone", "cleanlab", "croissant"
]
"""Who is meant to read it."""


class ClassShare(TypedDict):
    """A class and how probable it is, 0 to 1."""

    label: str
    probability: float


class Finding(TypedDict):
    """What an audit says of one sample. `p_mislabeled`: high is bad, null is not judged."""

    decided_label: str | None
    decision: str | None
    exclusion: str | None
    flagged: bool
    given_label: str
    has_image: bool
    likely_classes: list[ClassShare]
    loss: float
    p_clean: float | None
    p_mislabeled: float | None
    p_uncalibrated: float | None
    path: str
    rank: int
    sample_id: str
    signals: dict[str, float]
    suggested_confidence: float
    suggested_label: str
    sure: bool
    verdict: str
    version: int


JobKind: TypeAlias = Literal["ingest", "audit", "score", "export", "recalibrate", "predict"]
"""What a job is for. An upload that is also audited is one `audit`."""


class Progress(TypedDict):
    """How far a job is; the fraction is of the whole job."""

    epoch: int | None
    epochs: int | None
    eta_seconds: float | None
    fraction: float
    images_per_second: float | None
    metrics: dict[str, Any] | None


class Job(TypedDict):
    """A job as its row stands."""

    attempt: int
    cancel_requested: bool
    created_at: str
    dataset_id: str
    error: JobError | None
    finished_at: str | None
    id: str
    kind: JobKind
    lost_attempts: int
    options: dict[str, Any]
    progress: Progress
    queue_position: int | None
    queued_at: str
    stage: str
    started_at: str | None
    state: JobState


class JobCreated(TypedDict):
    """What a request for an audit started."""

    job_id: str


Scope: TypeAlias = Literal["read", "review", "write", "train", "admin"]
"""A right that a key carries; none implies another."""


class Key(TypedDict):
    """A key without its secret."""

    created_at: str
    expires_at: str | None
    id: str
    last_used_at: str | None
    name: str
    revoked_at: str | None
    scopes: list[Scope]


class KeyCreated(TypedDict):
    """A new key: the only time that it is shown whole."""

    created_at: str
    expires_at: str | None
    id: str
    key: str
    last_used_at: str | None
    name: str
    revoked_at: str | None
    scopes: list[Scope]


LabelChoice: TypeAlias = Literal["given", "decisions", "suggestions"]
"""Which labels go out."""

LogEntry = TypedDict(
    "LogEntry",
    {
        "at": str,
        "comment": str | None,
        "from": DecisionValue,
        "id": int,
        "job_id": str | None,
        "key_id": str | None,
        "kind": StepKind,
        "path": str,
        "sample_id": str,
        "step_id": int,
        "target_step_id": int | None,
        "to": DecisionValue,
        "version": int,
        "who": str | None,
    },
)
"""How one step changed one sample."""

Method: TypeAlias = Literal[
    "ce",
    "mixup",
    "st-s",
    "st-h",
    "dy-s",
    "dy-h",
    "dy-gmm",
    "m-dyr-s",
    "m-dyr-h",
    "md-dyr-h",
    "md-dyr-sh",
]
"""How to train on labels that may be wrong: the variants of Arazo et al. 2019."""


class ImageProblem(TypedDict):
    """Why one image has no prediction; the codes are those of rejected files."""

    code: str
    detail: str


class Label(TypedDict):
    """A class and its probability."""

    label: str
    probability: float


class Prediction(TypedDict):
    """What the model says of one image."""

    error: ImageProblem | None
    file: str
    index: int
    probabilities: dict[str, float] | None
    top: list[Label]


class Predictions(TypedDict):
    """The answer: one item an image, in the order of the request."""

    classes: list[str]
    items: list[Prediction]
    job_id: str
    model_job_id: str


Preset: TypeAlias = Literal["auto", "quick", "standard", "paper"]
"""How much to spend. `auto` picks by image size, and the report says why.

`quick` trains a head on a pretrained network's features, `standard` a small network. `paper` is
the published setting: a large network for up to 300 epochs, so for a GPU.
"""


class RejectedFile(TypedDict):
    """A file of the upload that became no sample, and why."""

    code: str
    detail: str
    path: str


class SampleDuplicates(TypedDict):
    """That other samples show the same picture."""

    conflicting: bool
    group: int
    kind: DuplicateKind
    leaking: bool


Split: TypeAlias = Literal["train", "test"]
"""Train samples are audited; test samples only measure accuracy."""


class Sample(TypedDict):
    """One image with its label, or one row of uploaded scores, which has no image."""

    agreement: float | None
    annotations: dict[str, str] | None
    dataset_id: str
    decided_label: str | None
    decision: str | None
    duplicates: SampleDuplicates | None
    exclusion: str | None
    given_label: str
    height: int | None
    media_type: str | None
    path: str
    sample_id: str
    sha256: str | None
    split: Split
    tied: bool
    version: int
    width: int | None


Signal: TypeAlias = Literal[
    "prediction", "neighbour_agreement", "posterior", "mean_loss", "disagreement", "margin"
]
"""What labels are judged by, and what is kept of each sample beside the verdict.

`prediction` and `neighbour_agreement` make `p_mislabeled`: the averaged network's probabilities
over all epochs, and the labels of the most similar images. The others come from the losses of
the given label and are for the reader; `disagreement` also makes the verdict `hard`.
"""


class SigningKey(TypedDict):
    """A public key; `current` signs now, the others have."""

    algorithm: str
    created_at: str
    current: bool
    key_id: str
    pem: str
    public_key: str


class Submission(TypedDict):
    """What an upload started."""

    dataset_id: str
    job_id: str


class Webhook(TypedDict):
    """A receiver."""

    created_at: str
    disabled_at: str | None
    id: str
    url: str


class WebhookCreated(TypedDict):
    """A new receiver with the secret that verifies its messages."""

    created_at: str
    disabled_at: str | None
    id: str
    secret: str
    url: str
