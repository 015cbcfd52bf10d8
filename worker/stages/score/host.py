"""From uploaded probabilities to findings: the child judges them, this side writes the rows."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from typing_extensions import override

from app.core.bulk import batches
from app.models import DatasetState, Split
from worker.processes.spawn import Event
from worker.runtime.claim import Lease, RowUpdate
from worker.runtime.publisher import Publisher
from worker.runtime.stage import Stage
from worker.stages.finding_rows import EVIDENCE_FILE, NPY_TYPE, finding_rows, first_look
from worker.stages.score.arrays import LABELS, REPORT, SUMMARY


class ScoreStage(Stage):
    """Takes a pending data set of scores in and judges it, in one stage."""

    name = "score"
    module = "worker.stages.score.child"

    @override
    def spec(self, folder: Path) -> dict[str, Any]:
        return {
            "scores": str(self._context.files.upload(self._attempt.dataset_id)),
            "out_dir": str(folder),
            "max_rows": self._context.limits["max_files"],
        }

    @override
    def translate(self, event: Event) -> RowUpdate:
        return RowUpdate(values={"fraction": event["fraction"]})

    @override
    def publish(self, folder: Path, lease: Lease) -> None:
        summary = json.loads((folder / SUMMARY).read_text())
        self._context.require_room(len(np.load(folder / LABELS, allow_pickle=False)))
        sample_ids = self._write_samples(folder, lease)
        publisher = Publisher(self._context, lease)
        publisher.add_findings(finding_rows(folder, sample_ids, publisher.version))
        artifacts = [publisher.store(folder / REPORT, "report", "application/json")]
        if (folder / EVIDENCE_FILE).exists():
            artifacts.append(publisher.store(folder / EVIDENCE_FILE, "evidence", NPY_TYPE))
        with lease.transaction() as session:
            self._intake(session).set_state(
                DatasetState.READY,
                num_samples=len(sample_ids),
                splits={Split.TRAIN.value: len(sample_ids), Split.TEST.value: 0},
                classes=summary["classes"],
                content_hash=summary["content_hash"],
                ingest_report={"warnings": summary["warnings"], "duplicates": []},
            )
            publisher.finish(session, artifacts, first_look(folder, sample_ids))
        self._context.files.upload(self._attempt.dataset_id).unlink(missing_ok=True)

    def _write_samples(self, folder: Path, lease: Lease) -> list[int]:
        """Add a sample for each row of the file, in fenced transactions; return their ids."""
        with lease.transaction(stage="store") as session:
            self._intake(session).clear()
        first = 0
        for batch in batches(_sample_rows(folder / LABELS)):
            with lease.transaction() as session:
                self._intake(session).add_samples(batch, first_position=first)
            first += len(batch)
        with self._context.database.read() as session:
            return [sample_id for sample_id, *_ in self._intake(session).labels()]


def _sample_rows(file: Path) -> Iterator[dict[str, Any]]:
    """Yield the rows as samples of the training split, named by their numbers."""
    no_image = dict.fromkeys(("sha256", "thumb_sha256", "media_type", "width", "height"))
    for row, label in enumerate(np.load(file, allow_pickle=False).tolist()):
        yield {"path": str(row), "split": Split.TRAIN.value, "label": label, **no_image}
