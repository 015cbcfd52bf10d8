"""Data sets and samples as the API reads and writes them."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any
from uuid import UUID

from pydantic import Field
from typing_extensions import override

from app.core.errors import AppError
from app.core.ids import format_sample_id
from app.core.schemas import InputModel, ReadModel
from app.datasets.query import SampleRow
from app.models import Dataset, DatasetState, DuplicateKind, Sample, Split


class DatasetBusyError(AppError):
    """A job of the data set waits or runs."""

    status = 409
    code = "dataset_busy"
    title = "Data set in use"


class DatasetNotReadyError(AppError):
    """The data set is still being taken in, or could not be."""

    status = 409
    code = "dataset_not_ready"
    title = "Data set not ready"


class MissingFileError(AppError):
    """An upload without its file."""

    status = 422
    code = "missing_file"
    title = "File missing"


class EmptyUploadError(AppError):
    """A file of no bytes."""

    status = 422
    code = "empty_upload"
    title = "Empty upload"


class UnknownArchiveError(AppError):
    """Neither zip nor tar, by its first bytes."""

    status = 422
    code = "unknown_archive"
    title = "Unknown archive format"


class UnknownScoresError(AppError):
    """Neither npz nor Parquet, by its first bytes."""

    status = 422
    code = "unknown_scores_format"
    title = "Unknown format of scores"


class UnknownClassError(AppError):
    """A label that is no class of the data set."""

    status = 422
    code = "unknown_class"
    title = "Unknown class"


class NoImageError(AppError):
    """A row of uploaded scores: it was judged without its image."""

    status = 404
    code = "no_image"
    title = "Sample without an image"


class NoImagesError(AppError):
    """A data set of uploaded scores: there is nothing to train on, or to add images to."""

    status = 409
    code = "no_images"
    title = "Data set without images"


class ImageSize(StrEnum):
    """`thumb` is upright, opaque and small; the file itself where that is all of this."""

    THUMB = "thumb"
    FULL = "full"


@dataclass(frozen=True, slots=True)
class ImageFile:
    """Which stored bytes show a sample."""

    name: str
    sha256: str
    media_type: str


class TableColumns(InputModel):
    """What the columns of tables of labels are called, where that cannot be guessed."""

    path: str | None = Field(None, max_length=200)
    label: str | None = Field(None, max_length=200)
    split: str | None = Field(None, max_length=200)
    annotator: str | None = Field(None, max_length=200)
    """Tells whose label a row holds; a file has a row for each."""
    labels: list[Annotated[str, Field(max_length=200)]] | None = Field(
        None, min_length=2, max_length=100
    )
    """Several columns of labels, each of one annotator."""


_EMPTY_REPORT: dict[str, Any] = {
    "num_near_duplicates": 0,
    "num_conflicting": 0,
    "num_leaking": 0,
    "warnings": [],
    "agreement": None,
    "duplicates": [],
}


class UploadRead(ReadModel):
    """The archive as it came."""

    name: str
    sha256: str
    num_bytes: int


class DatasetSummary(ReadModel):
    """A data set in a list."""

    id: UUID
    parent_id: UUID | None
    """The version before; null once that is deleted."""
    version: int
    """1, and one more for each part that was added."""
    name: str
    state: DatasetState
    num_samples: int
    num_rejected: int
    num_duplicates: int
    classes: list[str]
    splits: dict[str, int]
    content_hash: str | None
    image_size: int | None
    upload: UploadRead
    created_at: datetime

    @classmethod
    def of(cls, dataset: Dataset) -> "DatasetSummary":
        """Describe a row."""
        return cls.model_validate(_summary(dataset))


class DuplicateFilter(StrEnum):
    """Which samples show a picture that another one shows too."""

    ANY = "any"
    EXACT = "exact"
    NEAR = "near"
    CONFLICTING = "conflicting"
    LEAKING = "leaking"


class SampleDuplicates(ReadModel):
    """That other samples show the same picture."""

    group: int
    """The same for all of them."""
    kind: DuplicateKind
    conflicting: bool
    leaking: bool


class DuplicateGroup(ReadModel):
    """Samples that show one picture; with different labels at least one of them is wrong."""

    group: int | None
    """Unknown in reports of before near duplicates were looked for."""
    kind: DuplicateKind
    sha256: str
    num_samples: int
    paths: list[str]
    labels: list[str]
    conflicting: bool
    leaking: bool
    """The test split holds a picture that is trained on."""


class AnnotatorRead(ReadModel):
    """One annotator's labels, beside those of the others."""

    name: str
    num_labels: int
    agreement: float | None
    """Share of the others' labels for the same images that are the same."""


class AgreementRead(ReadModel):
    """How far several annotators agree, over the samples that at least two of them labelled."""

    num_annotators: int
    num_compared: int
    num_tied: int
    """Samples whose given label was drawn, since several were said equally often."""
    mean_agreement: float | None
    """Mean share of the annotators who said the given label."""
    krippendorff_alpha: float | None
    """1 is agreement, 0 as by chance; null where it is not defined."""
    annotators: list[AnnotatorRead]
    """The hundred with most labels."""


class DatasetRead(DatasetSummary):
    """A data set with what its ingest found."""

    num_near_duplicates: int
    """Samples of which another file shows the same picture."""
    num_conflicting: int
    num_leaking: int
    warnings: list[str]
    agreement: AgreementRead | None
    """Null where the upload does not tell annotators apart."""
    duplicates: list[DuplicateGroup]
    """The first hundred groups, contradictions first, then leaks."""

    @classmethod
    @override
    def of(cls, dataset: Dataset) -> "DatasetRead":
        """Describe a row."""
        report = _EMPTY_REPORT | dataset.ingest_report
        groups = [_completed(group) for group in report["duplicates"]]
        return cls.model_validate(report | {"duplicates": groups} | _summary(dataset))


class RejectedFileRead(ReadModel):
    """A file of the upload that became no sample, and why."""

    path: str
    code: str
    detail: str


class SampleRead(ReadModel):
    """One image with its label, or one row of uploaded scores, which has no image."""

    sample_id: str
    dataset_id: UUID
    path: str
    split: Split
    given_label: str
    width: int | None
    height: int | None
    media_type: str | None
    sha256: str | None
    duplicates: SampleDuplicates | None
    annotations: dict[str, str] | None
    """What each annotator said; null where the upload does not tell them apart."""
    agreement: float | None
    """Share of the annotators who said the given label."""
    tied: bool
    """Whether the given label was drawn among several that were said equally often."""
    decision: str | None
    decided_label: str | None
    exclusion: str | None
    version: int

    @classmethod
    def of(cls, sample: Sample | SampleRow, dataset_id: UUID, classes: list[str]) -> "SampleRead":
        """Describe a row; `classes` are the names that its label points into."""
        return cls(
            sample_id=format_sample_id(sample.id),
            dataset_id=dataset_id,
            path=sample.path,
            split=sample.split,
            given_label=classes[sample.given_label],
            width=sample.width,
            height=sample.height,
            media_type=sample.media_type,
            sha256=sample.sha256,
            duplicates=_duplicates(sample),
            annotations=sample.annotations,
            agreement=sample.agreement,
            tied=sample.tied,
            decision=sample.decision,
            decided_label=None if sample.decided_label is None else classes[sample.decided_label],
            exclusion=sample.exclusion,
            version=sample.version,
        )


def _completed(group: dict[str, Any]) -> dict[str, Any]:
    """Fill in what reports of older releases do not say."""
    old = {
        "group": None,
        "kind": DuplicateKind.EXACT,
        "num_samples": len(group["paths"]),
        "leaking": False,
    }
    return old | group


def _duplicates(sample: Sample | SampleRow) -> SampleDuplicates | None:
    if sample.duplicate_group is None or sample.duplicate_kind is None:
        return None
    return SampleDuplicates(
        group=sample.duplicate_group,
        kind=sample.duplicate_kind,
        conflicting=sample.conflicting,
        leaking=sample.leaking,
    )


def _summary(dataset: Dataset) -> dict[str, object]:
    names = DatasetSummary.model_fields.keys() - {"upload"}
    upload = UploadRead(
        name=dataset.upload_name,
        sha256=dataset.upload_sha256,
        num_bytes=dataset.upload_bytes,
    )
    return {name: getattr(dataset, name) for name in names} | {"upload": upload}
