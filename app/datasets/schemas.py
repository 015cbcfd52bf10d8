from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from pydantic import Field
from typing_extensions import override

from app.core.ids import format_sample_id
from app.core.schemas import InputModel, ReadModel
from app.models import Dataset, DatasetState, Sample, Split


class ImageSize(StrEnum):
    """`thumb` is the image itself where that is small."""

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


class UploadRead(ReadModel):
    """The archive as it came."""

    name: str
    sha256: str
    num_bytes: int


class DatasetSummary(ReadModel):
    """A data set in a list."""

    id: UUID
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


class DuplicateGroup(ReadModel):
    """Samples of equal content; with different labels at least one of them is wrong."""

    sha256: str
    paths: list[str]
    labels: list[str]
    conflicting: bool


class DatasetRead(DatasetSummary):
    """A data set with what its ingest found."""

    warnings: list[str]
    duplicates: list[DuplicateGroup]

    @classmethod
    @override
    def of(cls, dataset: Dataset) -> "DatasetRead":
        """Describe a row."""
        report = {"warnings": [], "duplicates": [], **dataset.ingest_report}
        return cls.model_validate(
            {
                **_summary(dataset),
                "warnings": report["warnings"],
                "duplicates": report["duplicates"],
            }
        )


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
    decision: str | None
    version: int

    @classmethod
    def of(cls, sample: Sample, classes: list[str]) -> "SampleRead":
        """Describe a row; `classes` are the names that its label points into."""
        return cls(
            sample_id=format_sample_id(sample.id),
            dataset_id=sample.dataset_id,
            path=sample.path,
            split=sample.split,
            given_label=classes[sample.given_label],
            width=sample.width,
            height=sample.height,
            media_type=sample.media_type,
            sha256=sample.sha256,
            decision=sample.decision,
            version=sample.version,
        )


def _summary(dataset: Dataset) -> dict[str, object]:
    names = DatasetSummary.model_fields.keys() - {"upload"}
    upload = UploadRead(
        name=dataset.upload_name,
        sha256=dataset.upload_sha256,
        num_bytes=dataset.upload_bytes,
    )
    return {name: getattr(dataset, name) for name in names} | {"upload": upload}
