"""From decisions to re-calibrated findings of an audit: the child fits, this side writes rows.

The new version belongs to the audit's job, not to this one, and is shown by a swap of the audit's
pointer from the very version that was read.
"""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import numpy as np
from sqlalchemy.orm import Session
from typing_extensions import override

from app.claims.opinions import disputed
from app.claims.repository import ClaimRepository
from app.core.bulk import Columns, as_columns
from app.core.storage import BlobStore
from app.datasets.service import DatasetService
from app.findings.repository import FindingRepository
from app.jobs.repository import JobRepository
from app.learning.repository import VERIFIED, Judged, LearningRepository
from app.models import CONFLICT
from worker.processes.errors import ChildFailedError
from worker.processes.spawn import Event
from worker.runtime.claim import Lease, RowUpdate
from worker.runtime.publisher import Publisher
from worker.runtime.stage import Stage, StageContext
from worker.stages.recalibrate.files import CALIBRATION, EVIDENCE, REPORT, RESULTS

_MISLABELED, _CLEAN, _OFF_TOPIC = "mislabeled", "clean", "off_topic"


class RecalibrateStage(Stage):
    """Lets the probabilities of a finished audit learn from decisions."""

    name = "recalibrate"
    module = "worker.stages.recalibrate.child"

    def __init__(self, context: StageContext) -> None:
        """Work for one attempt."""
        super().__init__(context)
        self._audit_id = UUID(self._attempt.options["job_id"])
        self._version_id = 0
        self._decided_until = 0

    @override
    def prepare(self, folder: Path, lease: Lease) -> None:
        """Write probabilities and decisions as arrays, and bring the report."""
        with lease.kept(), self._context.database.read() as session:
            self._version_id = self._published_version(session)
            rows = LearningRepository(session, self._attempt.tenant_id)
            # Before the decisions: one that arrives from here on is left to the next time.
            self._decided_until = rows.newest_entry(self._attempt.dataset_id)
            claims = ClaimRepository(session, self._attempt.tenant_id, self._attempt.dataset_id)
            doubted = disputed(claims.opinions(self._audit_id))
            write_evidence(folder, rows.judged(self._version_id, self._audit_id), doubted)
            findings = FindingRepository(session, self._attempt.tenant_id)
            files = {file.kind: file.sha256 for file in findings.artifacts(self._version_id)}
        self._bring(files["report"], folder)

    @override
    def spec(self, folder: Path) -> dict[str, Any]:
        with self._context.database.read() as session:
            datasets = DatasetService(session, self._attempt.tenant_id)
            classes = datasets.find(str(self._attempt.dataset_id)).classes
        return {"classes": classes, "out_dir": str(folder), "decided_until": self._decided_until}

    @override
    def translate(self, event: Event) -> RowUpdate:
        return RowUpdate(values={"fraction": event["fraction"]})

    @override
    def publish(self, folder: Path, lease: Lease) -> None:
        publisher = Publisher(self._context, lease, of_job=self._audit_id)
        publisher.add_findings(self._rows(folder, publisher.version))
        report = publisher.store(folder / REPORT, "report", "application/json")
        calibration = json.loads((folder / CALIBRATION).read_text())
        with self._context.database.unit_of_work() as session:
            datasets = DatasetService(session, self._attempt.tenant_id)
            datasets.hold(datasets.find(str(self._attempt.dataset_id)))
            if not publisher.replace(session, self._version_id, report, calibration):
                raise ChildFailedError(
                    "results_changed", "the audit's results changed meanwhile; try again"
                )

    def _rows(self, folder: Path, version: int) -> Iterator[Columns]:
        """Yield the audit's rows as they are now, with new probabilities and flags."""
        with np.load(folder / RESULTS, allow_pickle=False) as file:
            p, flagged = file["p_mislabeled"].tolist(), file["flagged"].tolist()
        with self._context.database.read() as session:
            rows = LearningRepository(session, self._attempt.tenant_id)
            learned = zip(p, flagged, strict=True)
            for batch in rows.rows(self._version_id):
                yield as_columns(
                    [
                        _learned(row, version, p_now, is_flagged=is_flagged)
                        for row, (p_now, is_flagged) in zip(batch, learned, strict=False)
                    ]
                )

    def _published_version(self, session: Session) -> int:
        audit = JobRepository(session, self._attempt.tenant_id).get(self._audit_id)
        if audit is None or audit.result_version is None:
            raise ChildFailedError("no_findings", "the audit has no results to learn on")
        return audit.result_version

    def _bring(self, sha256: str, folder: Path) -> None:
        blobs = self._context.blobs
        brought = BlobStore(blobs.bring([sha256], folder, lambda: None))
        shutil.copyfile(brought.path(sha256), folder / REPORT)


def write_evidence(folder: Path, judged: Iterator[Judged], doubted: set[int]) -> None:
    """Write one array a column, rows by rank; `says_wrong` is 1, 0, or -1 where nobody said."""
    columns: dict[str, list[Any]] = {name: [] for name in EVIDENCE.columns}
    for row in judged:
        says = row.says_wrong if row.teaches and row.sample_id not in doubted else None
        is_pinned = row.verdict == VERIFIED
        columns["p"].append(np.nan if row.p_original is None or is_pinned else row.p_original)
        columns["p_now"].append(np.nan if row.p_mislabeled is None else row.p_mislabeled)
        columns["says_wrong"].append(-1 if says is None else int(says))
        columns["is_left"].append(row.decision is None or row.sample_id in doubted)
        columns["by_chance"].append(row.by_chance)
        columns["given_label"].append(row.given_label)
        columns["suggested_label"].append(row.suggested_label)
        columns["is_conflict"].append(row.verdict == CONFLICT)
    np.savez(folder / EVIDENCE.file, **{name: np.array(values) for name, values in columns.items()})  # type: ignore[arg-type]  # numpy types only its flag


def _learned(row: dict[str, Any], version: int, p: float, *, is_flagged: bool) -> dict[str, Any]:
    """Return a row of the audit as the decisions changed it; ranks stay as they were."""
    if row["p_mislabeled"] is None or row["verdict"] == VERIFIED:
        return row | {"version_id": version}
    verdict = row["verdict"]
    if is_flagged and verdict not in {_OFF_TOPIC, CONFLICT}:
        verdict = _MISLABELED
    elif not is_flagged and verdict == _MISLABELED:
        verdict = _CLEAN
    original = row["p_mislabeled"] if row["p_uncalibrated"] is None else row["p_uncalibrated"]
    return row | {
        "version_id": version,
        "p_mislabeled": p,
        "p_uncalibrated": original,
        "flagged": is_flagged,
        "verdict": verdict,
    }
