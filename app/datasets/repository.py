"""Data sets, their samples and what was rejected, of one tenant."""

from collections.abc import Collection, Iterator, Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import ColumnElement, bindparam, delete, exists, or_, select, tuple_, update
from sqlalchemy.orm import Session, defer

from app.datasets.query import SampleFilter, SampleRow
from app.models import (
    Artifact,
    Blob,
    Dataset,
    DatasetState,
    DuplicateKind,
    Job,
    JobState,
    RejectedFile,
    Sample,
    Tenant,
)
from app.models.visible import IS_KEPT

_DUPLICATES: dict[str, tuple[ColumnElement[bool], ...]] = {
    "any": (),
    "exact": (Sample.duplicate_kind == DuplicateKind.EXACT,),
    "near": (Sample.duplicate_kind == DuplicateKind.NEAR,),
    "conflicting": (Sample.conflicting.is_(True),),
    "leaking": (Sample.leaking.is_(True),),
}
# Made once: to put a statement together takes as long as to run it.
_DATASET = select(Dataset).where(
    Dataset.id == bindparam("dataset_id"), Dataset.tenant_id == bindparam("tenant_id"), IS_KEPT
)
_CLASSES = select(Dataset.classes).where(
    Dataset.id == bindparam("dataset_id"), Dataset.tenant_id == bindparam("tenant_id"), IS_KEPT
)
_SAMPLE = (
    select(Sample, Dataset.classes)
    .join(Dataset, Dataset.id == Sample.dataset_id)
    .where(Sample.id == bindparam("sample_id"), Sample.tenant_id == bindparam("tenant_id"), IS_KEPT)
)
_COLUMNS = (
    Sample.id,
    Sample.position,
    Sample.path,
    Sample.split,
    Sample.given_label,
    Sample.width,
    Sample.height,
    Sample.media_type,
    Sample.sha256,
    Sample.duplicate_group,
    Sample.duplicate_kind,
    Sample.conflicting,
    Sample.leaking,
    Sample.annotations,
    Sample.agreement,
    Sample.tied,
    Sample.decision,
    Sample.decided_label,
    Sample.exclusion,
    Sample.version,
)
"""Of a `SampleRow`, in its order."""
_ACTIVE = (JobState.QUEUED, JobState.RUNNING)


class DatasetRepository:
    """Data sets as wholes."""

    def __init__(self, session: Session, tenant_id: UUID) -> None:
        """Work inside the caller's unit of work, for one tenant."""
        self._session = session
        self._tenant_id = tenant_id

    def add(self, dataset: Dataset) -> None:
        """Store a new data set."""
        self._session.add(dataset)
        self._session.flush()

    def get(self, dataset_id: UUID) -> Dataset | None:
        """Find a data set."""
        wanted = {"dataset_id": dataset_id, "tenant_id": self._tenant_id}
        return self._session.scalar(_DATASET, wanted)

    def classes(self, dataset_id: UUID) -> list[str] | None:
        """Return a data set's class names, without its report, which may be long."""
        wanted = {"dataset_id": dataset_id, "tenant_id": self._tenant_id}
        return self._session.scalar(_CLASSES, wanted)

    def hold(self, dataset_id: UUID) -> None:
        """Let nobody else hold, lock or remove a data set until this unit of work ends.

        New jobs of the data set are not held up: their foreign key needs a weaker lock.
        """
        self._session.execute(
            select(Dataset.id)
            .where(Dataset.id == dataset_id, Dataset.tenant_id == self._tenant_id)
            .with_for_update(key_share=True)
        )

    def lock(self, dataset_id: UUID) -> Dataset | None:
        """Find a data set, and let nobody start a job for it until this unit of work ends."""
        return self._session.scalar(
            select(Dataset)
            .where(Dataset.id == dataset_id, Dataset.tenant_id == self._tenant_id, IS_KEPT)
            .with_for_update()
        )

    def newest(self, *, after: tuple[datetime, UUID] | None, limit: int) -> Sequence[Dataset]:
        """Return data sets, newest first, without their ingest reports."""
        statement = (
            select(Dataset)
            .where(Dataset.tenant_id == self._tenant_id, IS_KEPT)
            .options(defer(Dataset.ingest_report, raiseload=True))
            .order_by(Dataset.created_at.desc(), Dataset.id.desc())
            .limit(limit)
        )
        if after is not None:
            statement = statement.where(tuple_(Dataset.created_at, Dataset.id) < after)
        return self._session.scalars(statement).all()

    def reopen(self, dataset_id: UUID) -> None:
        """Mark failed → pending; in any other state nothing changes."""
        self._session.execute(
            update(Dataset)
            .where(
                Dataset.id == dataset_id,
                Dataset.tenant_id == self._tenant_id,
                Dataset.state == DatasetState.FAILED,
            )
            .values(state=DatasetState.PENDING)
        )

    def is_busy(self, dataset_id: UUID) -> bool:
        """Tell whether a job waits or runs that needs the data set.

        That is one of its own, or of a version that is yet to take over its samples.
        """
        growing = select(Dataset.id).where(
            Dataset.parent_id == dataset_id, Dataset.state != DatasetState.READY
        )
        return (
            self._session.scalar(
                select(
                    exists().where(
                        or_(Job.dataset_id == dataset_id, Job.dataset_id.in_(growing)),
                        Job.tenant_id == self._tenant_id,
                        Job.state.in_(_ACTIVE),
                    )
                )
            )
            is True
        )

    def rejected(
        self, dataset_id: UUID, *, after: int | None, limit: int
    ) -> Sequence[RejectedFile]:
        """Return rejected files in the order of their ids."""
        statement = (
            select(RejectedFile)
            .where(RejectedFile.dataset_id == dataset_id, RejectedFile.tenant_id == self._tenant_id)
            .order_by(RejectedFile.id)
            .limit(limit)
        )
        if after is not None:
            statement = statement.where(RejectedFile.id > after)
        return self._session.scalars(statement).all()


class SampleRepository:
    """Single samples."""

    def __init__(self, session: Session, tenant_id: UUID) -> None:
        """Work inside the caller's unit of work, for one tenant."""
        self._session = session
        self._tenant_id = tenant_id

    def get(self, sample_id: int) -> tuple[Sample, list[str]] | None:
        """Find a sample and the class names of its data set."""
        wanted = {"sample_id": sample_id, "tenant_id": self._tenant_id}
        row = self._session.execute(_SAMPLE, wanted).one_or_none()
        return None if row is None else (row[0], row[1])

    def at(self, dataset_id: UUID, positions: Collection[int]) -> Sequence[Sample]:
        """Return the samples at these places, in any order."""
        return self._session.scalars(
            select(Sample).where(
                Sample.dataset_id == dataset_id,
                Sample.position.in_(positions),
                Sample.tenant_id == self._tenant_id,
            )
        ).all()

    def by_position(
        self,
        dataset_id: UUID,
        wanted: SampleFilter,
        *,
        label: int | None,
        after: int | None,
        limit: int,
    ) -> list[SampleRow]:
        """Return samples in the order of their positions; `label` is the number of the class."""
        statement = (
            select(*_COLUMNS)
            .where(Sample.dataset_id == dataset_id, Sample.tenant_id == self._tenant_id)
            .where(*_conditions(wanted))
            .order_by(Sample.position)
            .limit(limit)
        )
        if label is not None:
            statement = statement.where(Sample.given_label == label)
        if after is not None:
            statement = statement.where(Sample.position > after)
        return [SampleRow._make(row) for row in self._session.execute(statement)]


def _conditions(wanted: SampleFilter) -> Iterator[ColumnElement[bool]]:
    if wanted.split is not None:
        yield Sample.split == wanted.split
    if wanted.duplicates is not None:
        yield Sample.duplicate_group.is_not(None)
        yield from _DUPLICATES[wanted.duplicates]
    if wanted.max_agreement is not None:
        yield Sample.agreement <= wanted.max_agreement
    if wanted.tied is not None:
        yield Sample.agreement.is_not(None)
        yield Sample.tied.is_(wanted.tied)


class BlobRepository:
    """The stored bytes that rows point to."""

    def __init__(self, session: Session, tenant_id: UUID) -> None:
        """Work inside the caller's unit of work, for one tenant."""
        self._session = session
        self._tenant_id = tenant_id

    def lock_against_new_jobs(self) -> bool:
        """Keep new jobs of the tenant out until this unit of work ends.

        Returns:
            Whether none waits or runs already.
        """
        # A new job's foreign key needs a share of this row (SQLite has one writer anyway).
        self._session.execute(
            select(Tenant.id).where(Tenant.id == self._tenant_id).with_for_update()
        )
        active = exists().where(Job.tenant_id == self._tenant_id, Job.state.in_(_ACTIVE))
        return self._session.scalar(select(active)) is not True

    def names(self, *, after: str, limit: int) -> Sequence[str]:
        """Return the tenant's blobs in the order of their names."""
        return self._session.scalars(
            select(Blob.sha256)
            .where(Blob.tenant_id == self._tenant_id, Blob.sha256 > after)
            .order_by(Blob.sha256)
            .limit(limit)
        ).all()

    def in_use(self, sha256s: Sequence[str]) -> set[str | None]:
        """Return those of these blobs that a row points to."""
        # Three look-ups by index: as one anti-join, SQLite would scan the samples for each blob.
        return {
            used
            for table, pointer in (
                (Sample, Sample.sha256),
                (Sample, Sample.thumb_sha256),
                (Artifact, Artifact.sha256),
            )
            for used in self._session.scalars(
                select(pointer).where(table.tenant_id == self._tenant_id, pointer.in_(sha256s))
            )
        }

    def forget(self, sha256s: Sequence[str]) -> None:
        """Delete rows of blobs."""
        self._session.execute(
            delete(Blob).where(Blob.tenant_id == self._tenant_id, Blob.sha256.in_(sha256s))
        )
