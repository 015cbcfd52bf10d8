"""What an upload that adds to a data set takes over: its samples, images and decisions."""

import json
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from app.core.bulk import batches
from app.datasets.intake_repository import IntakeRepository
from app.models import Dataset
from app.reviews.carry_repository import CarryRepository
from worker.processes.errors import ChildFailedError
from worker.runtime.stage import StageContext
from worker.runtime.supervise import Lease

_SAMPLES = "earlier-samples.jsonl"
_DECISIONS_AT_ONCE = 5_000


class Earlier:
    """The version that one data set goes on from, if it does."""

    def __init__(self, context: StageContext, dataset: Dataset) -> None:
        """Work for one attempt at `dataset`."""
        self._context = context
        self._dataset = dataset
        self._parent_id = dataset.parent_id
        self._parent: Dataset | None = None
        self._blob_dir: Path | None = None

    def bring(self, folder: Path, lease: Lease) -> None:
        """Write down its samples for the child, and fetch its images where they are not decoded.

        Raises:
            ChildFailedError: It was deleted.
        """
        if self._dataset.version == 1:
            return
        if self._parent_id is None:
            detail = "The version that this part was to be added to was deleted."
            raise ChildFailedError("parent_gone", detail)
        with self._context.database.read() as session:
            self._parent = self._intake(session, self._parent_id).get()
            with (
                closing(self._intake(session, self._parent_id).samples()) as rows,
                (folder / _SAMPLES).open("w", encoding="utf-8") as file,
            ):
                for row in rows:
                    lease.require_wanted()
                    file.write(json.dumps(_described(row, self._parent.classes)) + "\n")
        if not self._cache.exists():
            self._blob_dir = self._context.blobs.bring(
                _image_names(folder / _SAMPLES), folder, lease.require_wanted
            )

    def spec(self, folder: Path) -> dict[str, Any] | None:
        """Return what the child is told."""
        if self._parent is None:
            return None
        return {
            "number": self._parent.version,
            "image_size": self._parent.image_size,
            "samples": str(folder / _SAMPLES),
            "cache": str(self._cache) if self._blob_dir is None else None,
            "blob_dir": str(self._blob_dir or folder),
        }

    def carry_decisions(self, lease: Lease, classes: Sequence[str]) -> None:
        """Give the samples, of these classes, the decisions in force in the version before."""
        if self._parent is None:
            return
        labels = {old: classes.index(name) for old, name in enumerate(self._parent.classes)}
        steps: dict[int, int] = {}
        with self._context.database.read() as reading:
            for batch in batches(self._carry(reading).in_force(), _DECISIONS_AT_ONCE):
                with lease.transaction() as session:
                    self._carry(session).add(batch, steps, labels)
        with lease.transaction() as session:
            self._carry(session).finish()

    @property
    def _cache(self) -> Path:
        if self._parent is None or self._parent.image_size is None:
            raise RuntimeError("only a data set of images can be added to")
        return self._context.files.image_cache(self._parent.id, self._parent.image_size)

    def _carry(self, session: Session) -> CarryRepository:
        if self._parent is None:
            raise RuntimeError("there is no version before")
        tenant_id = self._context.attempt.tenant_id
        return CarryRepository(session, tenant_id, self._parent.id, self._dataset.id)

    def _intake(self, session: Session, dataset_id: UUID) -> IntakeRepository:
        return IntakeRepository(session, self._context.attempt.tenant_id, dataset_id)


def _described(row: Any, classes: list[str]) -> dict[str, Any]:
    return {**row, "class_name": classes[row["given_label"]]}


def _image_names(samples: Path) -> Iterator[str]:
    with samples.open(encoding="utf-8") as lines:
        for line in lines:
            yield json.loads(line)["sha256"]
