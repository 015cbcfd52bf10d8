"""The rows of one ingest, written by the worker that owns the job."""

from collections.abc import Generator, Iterable, Mapping
from typing import Any, cast
from uuid import UUID

from sqlalchemy import Table, delete, select, update
from sqlalchemy.orm import Session

from app.core.bulk import as_columns, insert_missing, insert_rows
from app.core.clock import utc_now
from app.models import Blob, Dataset, DatasetState, DecisionStep, RejectedFile, Sample, Split

_FETCHED_AT_ONCE = 5_000


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

    def add_samples(self, rows: Iterable[Mapping[str, Any]], *, first_position: int) -> None:
        """Add samples as the ingest lists them, in order of position."""
        owner = {"tenant_id": self._tenant_id, "dataset_id": self._dataset_id}
        insert_rows(
            self._session,
            cast("Table", Sample.__table__),
            as_columns(
                [
                    {
                        **owner,
                        "position": position,
                        "path": row["path"],
                        "split": row["split"],
                        "given_label": row["label"],
                        "sha256": row["sha256"],
                        "thumb_sha256": row["thumb_sha256"],
                        "media_type": row["media_type"],
                        "width": row["width"],
                        "height": row["height"],
                        "duplicate_group": row.get("duplicate_group"),
                        "duplicate_kind": row.get("duplicate_kind"),
                        "conflicting": row.get("conflicting", False),
                        "leaking": row.get("leaking", False),
                        "annotations": row.get("annotations"),
                        "agreement": row.get("agreement"),
                        "tied": row.get("tied", False),
                        "version": 1,
                    }
                    for position, row in enumerate(rows, start=first_position)
                ]
            ),
        )

    def add_blobs(self, sizes: Mapping[str, int]) -> None:
        """Register stored blobs, by SHA-256 with their size; known ones stay as they are."""
        now = utc_now()
        insert_missing(
            self._session,
            cast("Table", Blob.__table__),
            [
                {
                    "tenant_id": self._tenant_id,
                    "sha256": sha256,
                    "num_bytes": num_bytes,
                    "created_at": now,
                }
                for sha256, num_bytes in sizes.items()
            ],
        )

    def add_rejected(self, rows: Iterable[Mapping[str, str]]) -> None:
        """Add the files that became no sample, each with its reason."""
        owner = {"tenant_id": self._tenant_id, "dataset_id": self._dataset_id}
        insert_rows(
            self._session,
            cast("Table", RejectedFile.__table__),
            as_columns(
                [
                    {**owner, "path": row["path"], "code": row["code"], "detail": row["detail"]}
                    for row in rows
                ]
            ),
        )

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

    def samples(self) -> Generator[dict[str, Any], None, None]:
        """Yield all samples by position, as an ingest needs to know those of an earlier version."""
        statement = (
            select(
                Sample.path, Sample.split, Sample.given_label, Sample.sha256, Sample.thumb_sha256,
                Sample.media_type, Sample.width, Sample.height,
                Sample.annotations, Sample.agreement, Sample.tied,
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
