from collections.abc import Collection, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path, PurePosixPath
from uuid import UUID

from sqlalchemy.orm import Session

from app.core.ids import not_found, parse_sample_id, parse_uuid
from app.core.pagination import CREATED_KEY, NUMBER_KEY, Cursors, PageRequest, created_key, paginate
from app.core.schemas import Page
from app.datasets.incoming import StoredUpload
from app.datasets.query import SampleFilter, SampleRow
from app.datasets.repository import DatasetRepository, SampleRepository
from app.datasets.schemas import (
    DatasetNotReadyError,
    DatasetRead,
    DatasetSummary,
    ImageFile,
    ImageSize,
    NoImageError,
    NoImagesError,
    RejectedFileRead,
    SampleRead,
    TableColumns,
)
from app.models import Dataset, DatasetState, Sample

_SUFFIXES = (".tar.gz", ".tar.zst", ".tgz", ".tar", ".zip")
_MAX_NAME = 200
_THUMB_TYPE = "image/webp"


class DatasetService:
    """Data sets and samples of one tenant, inside one unit of work."""

    def __init__(self, session: Session, tenant_id: UUID) -> None:
        """Work for one tenant."""
        self._tenant_id = tenant_id
        self._datasets = DatasetRepository(session, tenant_id)
        self._samples = SampleRepository(session, tenant_id)

    def create(
        self,
        dataset_id: UUID,
        upload: StoredUpload,
        *,
        name: str | None,
        columns: TableColumns | None = None,
        parent: Dataset | None = None,
    ) -> Dataset:
        """Register an upload as a data set that is yet to be taken in.

        With a `parent` it becomes the next version of that, which stays as it is.
        """
        dataset = Dataset(
            id=dataset_id,
            tenant_id=self._tenant_id,
            parent_id=None if parent is None else parent.id,
            version=1 if parent is None else parent.version + 1,
            name=name or (default_name(upload.file_name) if parent is None else parent.name),
            state=DatasetState.PENDING,
            upload_name=upload.file_name,
            upload_sha256=upload.sha256,
            upload_bytes=upload.num_bytes,
            columns=columns.model_dump(exclude_none=True) if columns is not None else {},
        )
        self._datasets.add(dataset)
        return dataset

    def find(self, dataset_id: str) -> Dataset:
        """Return a row.

        Raises:
            NotFoundError: The tenant has no such data set.
        """
        dataset = self._datasets.get(parse_uuid(dataset_id, "data set"))
        if dataset is None:
            raise not_found("data set")
        return dataset

    def classes(self, dataset_id: UUID) -> list[str]:
        """Return a data set's class names.

        Raises:
            NotFoundError: The tenant has no such data set.
        """
        classes = self._datasets.classes(dataset_id)
        if classes is None:
            raise not_found("data set")
        return classes

    def hold(self, dataset: Dataset) -> None:
        """Let one change of decisions, claims or results in at a time, so that each sees the last.

        The log's order is then the order of what happened.
        """
        self._datasets.hold(dataset.id)

    def find_ready(self, dataset_id: str) -> Dataset:
        """Return the row of a data set whose samples are stored.

        Raises:
            NotFoundError: The tenant has no such data set.
            DatasetNotReadyError: It is not taken in yet, or could not be.
        """
        dataset = self.find(dataset_id)
        if dataset.state != DatasetState.READY:
            raise DatasetNotReadyError(f"The data set is {dataset.state}.", state=dataset.state)
        return dataset

    def require_extensible(self, dataset_id: str) -> Dataset:
        """Return the row of a data set that files can be added to; it cannot be deleted meanwhile.

        Raises:
            NotFoundError: The tenant has no such data set.
            DatasetNotReadyError: It is not taken in yet, or could not be.
            NoImagesError: It is one of uploaded scores.
        """
        self._datasets.lock(parse_uuid(dataset_id, "data set"))
        dataset = self.find_ready(dataset_id)
        if dataset.image_size is None:
            raise NoImagesError("This data set holds scores, no images that more could join.")
        return dataset

    def reopen(self, dataset_id: UUID) -> bool:
        """Let a failed data set be taken in once more.

        Returns:
            Whether it still has to be.
        """
        self._datasets.reopen(dataset_id)
        dataset = self._datasets.get(dataset_id)
        return dataset is None or dataset.state != DatasetState.READY

    def read(self, dataset_id: str) -> DatasetRead:
        """Describe a data set."""
        return DatasetRead.of(self.find(dataset_id))

    def newest(self, page: PageRequest) -> Page[DatasetSummary]:
        """List data sets, newest first."""
        cursors = Cursors(CREATED_KEY, {"list": "datasets"})
        rows, cursor = paginate(page, cursors, self._datasets.newest, key=created_key)
        return Page(items=[DatasetSummary.of(row) for row in rows], next_cursor=cursor)

    def rejected(self, dataset_id: str, page: PageRequest) -> Page[RejectedFileRead]:
        """List the files that became no sample."""
        dataset = self.find(dataset_id)
        cursors = Cursors(NUMBER_KEY, {"list": "rejected", "dataset": dataset.id})
        rejected = partial(self._datasets.rejected, dataset.id)
        rows, cursor = paginate(page, cursors, rejected, key=lambda row: row.id)
        items = [RejectedFileRead.model_validate(row) for row in rows]
        return Page(items=items, next_cursor=cursor)

    def samples(self, dataset_id: str, page: PageRequest, wanted: SampleFilter) -> Page[SampleRead]:
        """List samples by their place in the data set."""
        dataset = self.find_ready(dataset_id)
        cursors = Cursors(NUMBER_KEY, {"list": "samples", "dataset": dataset.id, **asdict(wanted)})

        def by_position(*, after: int | None, limit: int) -> Sequence[SampleRow]:
            if wanted.label is not None and wanted.label not in dataset.classes:
                return []
            label = None if wanted.label is None else dataset.classes.index(wanted.label)
            return self._samples.by_position(
                dataset.id, wanted, label=label, after=after, limit=limit
            )

        rows, cursor = paginate(page, cursors, by_position, key=lambda row: row.position)
        items = [SampleRead.of(row, dataset.id, dataset.classes) for row in rows]
        return Page(items=items, next_cursor=cursor)

    def find_sample(self, sample_id: str) -> tuple[Sample, list[str]]:
        """Return a sample and the class names of its data set.

        Raises:
            NotFoundError: The tenant has no such sample.
        """
        found = self._samples.get(parse_sample_id(sample_id))
        if found is None:
            raise not_found("sample")
        return found

    def samples_at(self, dataset_id: UUID, positions: Collection[int]) -> dict[int, Sample]:
        """Return the samples at these few places of a data set, by their places."""
        rows = self._samples.at(dataset_id, positions)
        return {row.position: row for row in rows}

    def read_sample(self, sample_id: str) -> SampleRead:
        """Describe a sample."""
        sample, classes = self.find_sample(sample_id)
        return SampleRead.of(sample, sample.dataset_id, classes)

    def find_image(self, sample_id: str, size: ImageSize) -> ImageFile:
        """Return which bytes to show; a sample without a thumbnail is its own.

        Raises:
            NotFoundError: The tenant has no such sample.
            NoImageError: It is a row of uploaded scores.
        """
        sample, _ = self.find_sample(sample_id)
        if sample.sha256 is None or sample.media_type is None:
            raise NoImageError("This sample is a row of uploaded scores and has no image.")
        name = PurePosixPath(sample.path).name
        if size == ImageSize.THUMB and sample.thumb_sha256 is not None:
            return ImageFile(f"{name}.webp", sample.thumb_sha256, _THUMB_TYPE)
        return ImageFile(name, sample.sha256, sample.media_type)


def default_name(file_name: str) -> str:
    """Name a data set after its file."""
    stem = next(
        (file_name[: -len(end)] for end in _SUFFIXES if file_name.lower().endswith(end)),
        Path(file_name).stem,
    )
    return stem[:_MAX_NAME] or "data set"
