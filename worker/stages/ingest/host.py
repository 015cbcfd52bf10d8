"""From an uploaded archive to samples: the child reads, this side writes the rows."""

import json
import shutil
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any
from uuid import UUID

from pydantic_core import from_json
from sqlalchemy.orm import Session
from typing_extensions import override

from app.core.bulk import batches
from app.core.durable import publish_file
from app.datasets.intake_repository import IntakeRepository
from app.jobs.lease_repository import LeaseRepository
from app.models import AttemptOutcome, Dataset, DatasetState, JobKind, JobState, Queue
from app.reviews.carry_repository import CarryRepository
from worker.processes.errors import ChildFailedError
from worker.processes.spawn import Event
from worker.runtime.claim import Lease, RowUpdate
from worker.runtime.stage import INGEST_SHARE, Stage, StageContext

_REPORTED = (
    "warnings", "agreement", "duplicates", "num_near_duplicates", "num_conflicting", "num_leaking",
)  # fmt: skip
_REJECTED = "rejected.jsonl"
_ROWS_AT_ONCE = 10_000
"""Their text, objects and parameters are in memory together: some 50 MB."""
_EARLIER_SAMPLES = "earlier-samples.jsonl"
_DECISIONS_AT_ONCE = 5_000


class IngestStage(Stage):
    """Reads the upload of a pending data set."""

    name = "ingest"
    module = "worker.stages.ingest.child"

    def __init__(self, context: StageContext, dataset: Dataset) -> None:
        """Work for one attempt, which makes `dataset` ready."""
        super().__init__(context)
        self._columns = dataset.columns or {}
        self._name = dataset.upload_name
        self._earlier = Earlier(context, dataset)
        self._is_last = self._attempt.kind is JobKind.INGEST
        self._share = 1.0 if self._is_last else INGEST_SHARE

    @override
    def prepare(self, folder: Path, lease: Lease) -> None:
        self._earlier.bring(folder, lease)

    @override
    def spec(self, folder: Path) -> dict[str, Any]:
        return {
            "archive": str(self._context.files.upload(self._attempt.dataset_id)),
            "out_dir": str(folder),
            "blob_dir": str(self._context.blobs.inbox(folder)),
            "image_size": None,
            "columns": self._columns,
            "name": self._name,
            "earlier": self._earlier.spec(folder),
            "limits": self._context.limits,
        }

    @override
    def translate(self, event: Event) -> RowUpdate:
        return RowUpdate(
            values={
                "fraction": event["fraction"] * self._share,
                "images_per_second": event["images_per_second"],
            }
        )

    @override
    def publish(self, folder: Path, lease: Lease) -> None:
        summary = json.loads((folder / "summary.json").read_text())
        self._context.require_room(summary["num_samples"])
        blobs = self._context.blobs
        blobs.take_in(blobs.inbox(folder), lease.prolong)  # before any row
        self._write_rows(folder, lease)
        self._earlier.carry_decisions(lease, summary["classes"])
        size = summary["image_size"]
        cache = self._context.files.image_cache(self._attempt.dataset_id, size)
        publish_file(folder / cache.name, cache)
        with lease.transaction() as session:
            self._intake(session).set_state(
                DatasetState.READY,
                ingest_report={key: summary[key] for key in _REPORTED},
                **{
                    key: summary[key]
                    for key in (
                        "num_samples", "num_rejected", "num_duplicates", "classes", "splits",
                        "content_hash", "image_size",
                    )
                },
            )  # fmt: skip
            self._pass_on(LeaseRepository(session), lease)
        self._context.files.upload(self._attempt.dataset_id).unlink(missing_ok=True)

    @override
    def publish_failure(self, folder: Path, lease: Lease) -> None:
        """Keep the list of rejected files: it says what is wrong with the upload."""
        if not (folder / _REJECTED).exists():
            return
        with lease.transaction() as session:
            self._intake(session).clear()
        num_rejected = self._write_rejected(folder, lease)
        with lease.transaction() as session:
            self._intake(session).set_state(DatasetState.PENDING, num_rejected=num_rejected)

    @override
    def finished(self) -> Queue | None:
        if self._is_last:
            return super().finished()
        fence = self._attempt.fence
        folder = self._context.files.attempt(fence.job_id, fence.attempt, self.name)
        shutil.rmtree(folder, ignore_errors=True)  # the training goes on in the job's folder
        return Queue.GPU

    def _pass_on(self, leases: LeaseRepository, lease: Lease) -> None:
        """Finish the job, or leave the training to the workers of the other queue."""
        if self._is_last:
            leases.finish(lease.fence, JobState.SUCCEEDED, stage="done", fraction=1.0)
        else:
            leases.requeue(lease.fence, queue=Queue.GPU, outcome=AttemptOutcome.HANDED_OVER)

    def _write_rows(self, folder: Path, lease: Lease) -> None:
        """Add samples and rejected files in short transactions, each of them fenced."""
        with lease.transaction(stage="store") as session:
            self._intake(session).clear()
        first = 0
        for batch in batches(_lines(folder / "samples.jsonl"), _ROWS_AT_ONCE):
            with lease.transaction() as session:
                intake = self._intake(session)
                intake.add_samples(batch, first_position=first)
                intake.add_blobs(_blob_sizes(batch))
            first += len(batch)
        self._write_rejected(folder, lease)

    def _write_rejected(self, folder: Path, lease: Lease) -> int:
        """Add the rejected files; return how many they are."""
        num_written = 0
        for batch in batches(_lines(folder / _REJECTED), _ROWS_AT_ONCE):
            with lease.transaction() as session:
                self._intake(session).add_rejected(batch)
            num_written += len(batch)
        return num_written


def _lines(file: Path) -> Iterator[dict[str, Any]]:
    with file.open("rb") as lines:
        yield from map(from_json, lines)


def _blob_sizes(samples: list[dict[str, Any]]) -> dict[str, int]:
    """Return the sizes of new blobs; those of an earlier version have their rows."""
    return {
        row[name]: row[size]
        for row in samples
        for name, size in (("sha256", "num_bytes"), ("thumb_sha256", "thumb_num_bytes"))
        if row[size] is not None
    }


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
                (folder / _EARLIER_SAMPLES).open("w", encoding="utf-8") as file,
            ):
                for row in rows:
                    lease.require_wanted()
                    file.write(json.dumps(_described(row, self._parent.classes)) + "\n")
        if not self._cache.exists():
            self._blob_dir = self._context.blobs.bring(
                _image_names(folder / _EARLIER_SAMPLES), folder, lease.require_wanted
            )

    def spec(self, folder: Path) -> dict[str, Any] | None:
        """Return what the child is told."""
        if self._parent is None:
            return None
        return {
            "number": self._parent.version,
            "image_size": self._parent.image_size,
            "samples": str(folder / _EARLIER_SAMPLES),
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
