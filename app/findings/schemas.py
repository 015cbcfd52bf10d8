"""Findings, evidence and artifacts as the API reads them."""

import base64
from datetime import datetime
from enum import StrEnum

from app.core.errors import AppError
from app.core.ids import format_sample_id
from app.core.schemas import ReadModel
from app.core.signing import ALGORITHM, as_pem
from app.findings.query import FindingRow, TwinRow, is_sure
from app.models import Artifact, PublishedKey
from app.models.likely import unpack_likely


class NotFinishedError(AppError):
    """Results are shown once the job has succeeded, never in part."""

    status = 409
    code = "not_finished"
    title = "Job not finished"


class NoFindingsError(AppError):
    """A job that only took a data set in judges no labels."""

    status = 409
    code = "no_findings"
    title = "Job without findings"


class NoModelError(AppError):
    """A job that judged uploaded probabilities trains no model."""

    status = 404
    code = "no_model"
    title = "Job without a model"


class UnknownSortError(AppError):
    """An order that the list does not have."""

    status = 422
    code = "unknown_sort"
    title = "Unknown order"


class FormNotMadeError(AppError):
    """A form of the model that no version made when this audit ended."""

    status = 404
    code = "form_not_made"
    title = "Form not made"


class FormatNotAvailableError(AppError):
    """A form of the model whose extra was not installed where the audit ran."""

    status = 501
    code = "format_not_available"
    title = "Format not available"


class CursorExpiredError(AppError):
    """The results that a walk went through were replaced more than a day ago."""

    status = 410
    code = "cursor_expired"
    title = "Cursor expired"


class ModelFormat(StrEnum):
    """Forms of the trained model."""

    SAFETENSORS = "safetensors"
    CARD = "card"
    TORCHSCRIPT = "torchscript"
    ONNX = "onnx"


class ClassShare(ReadModel):
    """A class and how probable it is, 0 to 1."""

    label: str
    probability: float


def likely_classes(packed: bytes | None, classes: list[str]) -> list[ClassShare]:
    """Return what a sample may be beside the suggestion, the most probable first."""
    return [
        ClassShare(label=classes[label], probability=round(share, 4))
        for label, share in unpack_likely(packed)
    ]


class FindingRead(ReadModel):
    """What an audit says of one sample. `p_mislabeled`: high is bad, null is not judged."""

    sample_id: str
    path: str
    given_label: str
    suggested_label: str
    suggested_confidence: float
    p_mislabeled: float | None
    p_clean: float | None
    p_uncalibrated: float | None
    """What the audit itself said, where `p_mislabeled` has learned from decisions since."""
    flagged: bool
    """Whether the label is worth a look."""
    sure: bool
    """Whether it is surely wrong: worth a look, and `p_mislabeled` is above 0.9."""
    rank: int
    loss: float
    signals: dict[str, float]
    likely_classes: list[ClassShare]
    """Classes beside the suggested one that are not improbable, the most probable first."""
    verdict: str
    decision: str | None
    decided_label: str | None
    exclusion: str | None
    """Why, where the decision is to exclude."""
    version: int
    has_image: bool
    """Whether there is a picture to show; a row of uploaded scores has none."""

    @classmethod
    def of(cls, row: FindingRow, classes: list[str]) -> "FindingRead":
        """Describe a row; `classes` are the names that labels point into."""
        p_mislabeled = row.p_mislabeled
        return cls(
            sample_id=format_sample_id(row.sample_id),
            path=row.path,
            given_label=classes[row.given_label],
            suggested_label=classes[row.suggested_label],
            suggested_confidence=row.suggested_confidence,
            p_mislabeled=p_mislabeled,
            p_clean=None if p_mislabeled is None else 1.0 - p_mislabeled,
            p_uncalibrated=row.p_uncalibrated,
            flagged=row.flagged,
            sure=is_sure(p_mislabeled, flagged=row.flagged),
            rank=row.rank,
            loss=row.loss,
            signals=row.signals,
            likely_classes=likely_classes(row.likely, classes),
            verdict=row.verdict,
            decision=row.decision,
            decided_label=None if row.decided_label is None else classes[row.decided_label],
            exclusion=row.exclusion,
            version=row.version,
            has_image=row.has_image,
        )


class Twin(ReadModel):
    """Another sample that shows the very same picture."""

    sample_id: str
    path: str
    given_label: str
    is_judged: bool
    """Whether the audit has a finding on it."""

    @classmethod
    def of(cls, row: TwinRow, classes: list[str]) -> "Twin":
        """Describe a row."""
        return cls(
            sample_id=format_sample_id(row.sample_id),
            path=row.path,
            given_label=classes[row.given_label],
            is_judged=row.is_judged,
        )


class FindingPlace(ReadModel):
    """A finding and where it stands in a queue."""

    finding: FindingRead
    previous_id: str | None
    next_id: str | None


class LossQuartiles(ReadModel):
    """Quartiles of the losses of a class after each epoch, in nats."""

    lower: list[float]
    median: list[float]
    upper: list[float]


class Lookalike(ReadModel):
    """A training sample that is like another one for the network."""

    sample_id: str
    path: str
    given_label: str
    similarity: float
    """Cosine of the features, less what all samples share: 1 is the same, 0 or less unrelated."""
    has_image: bool


class EvidenceRead(ReadModel):
    """What the training saw of one sample, so far as the job has kept it."""

    sample_id: str
    label: str
    """What was trained on: the given label, unless a person had decided otherwise before."""
    losses: list[float] | None
    """Of that label after each epoch, in nats; null where nothing was trained or kept."""
    class_losses: LossQuartiles | None
    """Of the samples with that label that are not flagged; null where there are none."""
    like_given: list[Lookalike]
    """The most similar samples of the given class that are not flagged, the nearest first."""
    like_suggested: list[Lookalike]
    """The same of the suggested class; empty where that is the given one."""


class ArtifactRead(ReadModel):
    """A file that an audit made."""

    name: str
    kind: str
    size: int
    sha256: str
    media_type: str
    url: str

    @classmethod
    def of(cls, artifact: Artifact) -> "ArtifactRead":
        """Describe a row."""
        return cls(
            name=artifact.name,
            kind=artifact.kind,
            size=artifact.num_bytes,
            sha256=artifact.sha256,
            media_type=artifact.media_type,
            url=_url(artifact),
        )


def _url(artifact: Artifact) -> str:
    match artifact.kind:
        case "report":
            return f"/v1/jobs/{artifact.job_id}/report"
        case "export":
            return f"/v1/exports/{artifact.job_id}/download"
        case kind if kind in list(ModelFormat):
            return f"/v1/jobs/{artifact.job_id}/model?format={kind}"
        case _:
            return f"/v1/jobs/{artifact.job_id}/artifacts/{artifact.name}"


class SigningKeyRead(ReadModel):
    """A public key; `current` signs now, the others have."""

    key_id: str
    algorithm: str
    public_key: str
    """Its 32 bytes, base64."""
    pem: str
    current: bool
    created_at: datetime

    @classmethod
    def of(cls, row: PublishedKey, *, current: bool) -> "SigningKeyRead":
        """Describe a row."""
        public = bytes.fromhex(row.public_key)
        return cls(
            key_id=row.key_id,
            algorithm=ALGORITHM,
            public_key=base64.b64encode(public).decode(),
            pem=as_pem(public),
            current=current,
            created_at=row.created_at,
        )
