"""From an uploaded archive to samples: the child reads, this side writes the rows."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic_core import from_json
from typing_extensions import override

from app.core.bulk import batches
from app.core.durable import publish_file
from app.jobs.lease_repository import LeaseRepository
from app.models import AttemptOutcome, Dataset, DatasetState, JobKind, JobState, Queue
from worker.processes.spawn import Event
from worker.runtime.stage import INGEST_SHARE, Stage, StageContext
from worker.runtime.supervise import Lease, RowUpdate
from worker.stages.ingest.earlier_version import Earlier

_REPORTED = (
    "warnings", "agreement", "duplicates", "num_near_duplicates", "num_conflicting", "num_leaking",
)  # fmt: skip
_REJECTED = "rejected.jsonl"
_ROWS_AT_ONCE = 10_000
"""Their text, objects and parameters are in memory together: some 50 MB."""


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
