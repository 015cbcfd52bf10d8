"""The rows of one ingest, written by the worker that owns the job."""

from collections.abc import Generator, Mapping, Sequence
from typing import Any, cast
from uuid import UUID

from sqlalchemy import Table, delete, func, select, update
from sqlalchemy.orm import Session

from app.core.bulk import Columns, insert_missing, insert_rows
from app.core.clock import utc_now
from app.models import Blob, Dataset, DatasetState, DecisionStep, RejectedFile, Sample, Split

_FETCHED_AT_ONCE = 5_000
_ALWAYS_KNOWN = ("path", "split", "sha256", "thumb_sha256", "media_type", "width", "height")
_SOMETIMES_KNOWN = ("duplicate_group", "picture", "duplicate_kind", "annotations", "agreement")
_MARKS = ("conflicting", "leaking", "tied")


class IntakeRepository:
    """Writes one data set of one tenant."""

    def __init__(self, session: Session, tenant_id: UUID, dataset_id: UUID) -> None:
        """Work inside the caller's unit of work."""
        self._session = session
        self._tenant_id = tenant_id
        self._dataset_id = dataset_id

    def clear(self) -> None:
        """Remove what an earlier attempt left half-written."""
        for table in (Sample, RejectedFile, DecisionStep):
            self._session.execute(delete(table).where(table.dataset_id == self._dataset_id))

    def add_samples(self, rows: Sequence[Mapping[str, Any]], *, first_position: int) -> None:
        """Add samples as the ingest lists them, in order of position."""
        insert_rows(
            self._session,
            cast("Table", Sample.__table__),
            {
                **self._owner(len(rows)),
                "position": range(first_position, first_position + len(rows)),
                "given_label": [row["label"] for row in rows],
                **{name: [row[name] for row in rows] for name in _ALWAYS_KNOWN},
                **{name: [row.get(name) for row in rows] for name in _SOMETIMES_KNOWN},
                **{name: [row.get(name, False) for row in rows] for name in _MARKS},
                "version": [1] * len(rows),
            },
        )

    def add_blobs(self, sizes: Mapping[str, int]) -> None:
        """Register stored blobs, by SHA-256 with their size; known ones stay as they are."""
        insert_missing(
            self._session,
            cast("Table", Blob.__table__),
            {
                "tenant_id": [self._tenant_id] * len(sizes),
                "sha256": list(sizes.keys()),
                "num_bytes": list(sizes.values()),
                "created_at": [utc_now()] * len(sizes),
            },
        )

    def add_rejected(self, rows: Sequence[Mapping[str, str]]) -> None:
        """Add the files that became no sample, each with its reason."""
        insert_rows(
            self._session,
            cast("Table", RejectedFile.__table__),
            {
                **self._owner(len(rows)),
                **{name: [row[name] for row in rows] for name in ("path", "code", "detail")},
            },
        )

    def _owner(self, num_rows: int) -> Columns:
        return {
            "tenant_id": [self._tenant_id] * num_rows,
            "dataset_id": [self._dataset_id] * num_rows,
        }

    def set_state(self, state: DatasetState, **values: Any) -> None:
        """Change the data set's row."""
        self._session.execute(
            update(Dataset)
            .where(Dataset.id == self._dataset_id, Dataset.tenant_id == self._tenant_id)
            .values(state=state, **values)
        )

    def get(self) -> Dataset:
        """Return the data set's row."""
        return self._session.scalars(
            select(Dataset).where(
                Dataset.id == self._dataset_id, Dataset.tenant_id == self._tenant_id
            )
        ).one()

    def copies(self) -> list[bool]:
        """Return, by position, whether a sample shows the same picture as an earlier one."""
        rows = self._session.execute(
            select(Sample.position, Sample.duplicate_group)
            .where(Sample.dataset_id == self._dataset_id, Sample.tenant_id == self._tenant_id)
            .order_by(Sample.position)
        )
        return [group is not None and group != position for position, group in rows]

    def pictures(self) -> list[int]:
        """Return, by position, a number that is the same for the very same picture."""
        return list(
            self._session.scalars(
                select(func.coalesce(Sample.picture, Sample.position))
                .where(Sample.dataset_id == self._dataset_id, Sample.tenant_id == self._tenant_id)
                .order_by(Sample.position)
            )
        )

    def samples(self) -> Generator[dict[str, Any], None, None]:
        """Yield all samples by position, as an ingest needs to know those of an earlier version."""
        statement = (
            select(
                Sample.path, Sample.split, Sample.given_label, Sample.sha256, Sample.thumb_sha256,
                Sample.media_type, Sample.width, Sample.height,
                Sample.picture, Sample.annotations, Sample.agreement, Sample.tied,
            )
            .where(Sample.dataset_id == self._dataset_id, Sample.tenant_id == self._tenant_id)
            .order_by(Sample.position)
            .execution_options(yield_per=_FETCHED_AT_ONCE)
        )  # fmt: skip
        with self._session.execute(statement) as result:
            for row in result.mappings():
                yield dict(row)

    def labels(self) -> list[tuple[int, bool, int]]:
        """Return (sample id, whether it is trained on, given label), by position."""
        rows = self._session.execute(
            select(Sample.id, Sample.split, Sample.given_label)
            .where(Sample.dataset_id == self._dataset_id, Sample.tenant_id == self._tenant_id)
            .order_by(Sample.position)
        )
        return [(sample_id, split is Split.TRAIN, label) for sample_id, split, label in rows]
