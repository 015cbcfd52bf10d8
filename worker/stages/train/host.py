"""From decoded images to findings and a model: the child trains, this side publishes."""

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from sqlalchemy.orm import Session
from typing_extensions import override

from app.claims.opinions import disputed
from app.claims.repository import ClaimRepository
from app.core.durable import sync_folder, write_json
from app.jobs.lease_repository import PACE_UNKNOWN
from app.learning.repository import LearningRepository
from app.models import Decision
from worker.files.npy import save_array
from worker.processes.spawn import Event
from worker.runtime.claim import Attempt, Lease, RowUpdate
from worker.runtime.publisher import Publisher
from worker.runtime.stage import INGEST_SHARE, Stage, StageContext
from worker.stages.finding_rows import (
    CLASS_LOSSES_FILE,
    EVIDENCE_FILE,
    NPY_TYPE,
    finding_rows,
    first_look,
)

ARTIFACTS = {
    "safetensors": ("model.safetensors", "application/octet-stream"),
    "card": ("model.json", "application/json"),
    "torchscript": ("model.torchscript.pt", "application/octet-stream"),
    "onnx": ("model.onnx", "application/octet-stream"),
    "report": ("report.json", "application/json"),
    "trajectories": ("trajectories.parquet", "application/vnd.apache.parquet"),
    "evidence": (EVIDENCE_FILE, NPY_TYPE),
    "class_losses": (CLASS_LOSSES_FILE, NPY_TYPE),
}
"""Kind of each file that the trainer leaves: its name and media type."""
_MAY_BE_MISSING = frozenset({"torchscript", "onnx"})
"""The report says why."""
_METRICS = ("train_loss", "mean_tracking_loss", "noise_rate", "mixture", "loss_histogram")
"""What the job's row keeps of its last epoch."""
_DECISIONS_FILE = "decisions.json"


@dataclass(frozen=True, slots=True)
class FrozenDecisions:
    """What reviewers said of samples, by the samples' numbers."""

    kept: list[int]
    relabelled: dict[int, int]
    """Number of the sample to its right label."""
    excluded: list[int]

    @classmethod
    def none(cls) -> "FrozenDecisions":
        """Return no decisions."""
        return cls([], {}, [])

    @classmethod
    def now(cls, session: Session, attempt: Attempt) -> "FrozenDecisions":
        """Read what is in force; what reviewers see differently is left out until it is settled."""
        claims = ClaimRepository(session, attempt.tenant_id, attempt.dataset_id)
        doubted = disputed(claims.opinions())
        rows = [
            row
            for row in LearningRepository(session, attempt.tenant_id).in_force(attempt.dataset_id)
            if row.sample_id not in doubted
        ]
        return cls(
            kept=[row.sample_id for row in rows if row.decision == Decision.KEEP],
            relabelled={
                row.sample_id: row.label
                for row in rows
                if row.decision == Decision.RELABEL and row.label is not None
            },
            excluded=[row.sample_id for row in rows if row.decision == Decision.EXCLUDE],
        )

    @classmethod
    def frozen(cls, folder: Path) -> "FrozenDecisions | None":
        """Return what is frozen in a job's folder, or nothing before the first attempt."""
        file = folder / _DECISIONS_FILE
        if not file.exists():
            return None
        kept = json.loads(file.read_text())
        relabelled = {int(number): label for number, label in kept["relabelled"].items()}
        return cls(kept["kept"], relabelled, kept["excluded"])

    def freeze(self, folder: Path, scratch: Path) -> "FrozenDecisions":
        """Keep them in a job's folder, unless another attempt was faster; return what is kept."""
        temporary = scratch / _DECISIONS_FILE
        write_json(temporary, asdict(self))
        try:
            # A link never replaces a file, as a rename would.
            os.link(temporary, folder / _DECISIONS_FILE)
            sync_folder(folder)
        except FileExistsError:
            pass
        return FrozenDecisions.frozen(folder) or self


class TrainStage(Stage):
    """Audits a data set that is ready."""

    name = "train"
    module = "worker.stages.train.child"

    def __init__(self, context: StageContext) -> None:
        """Work for one attempt."""
        super().__init__(context)
        self._sample_ids: list[int] = []

    @override
    def spec(self, folder: Path) -> dict[str, Any]:
        with self._context.database.read() as session:
            intake = self._intake(session)
            dataset = intake.get()
            rows = intake.labels()
            save_array(folder / "is_copy.npy", np.array(intake.copies(), dtype=np.bool_))
            save_array(folder / "picture.npy", np.array(intake.pictures(), dtype=np.int64))
        decisions = self._decisions(folder)
        excluded = frozenset(decisions.excluded)
        self._sample_ids = [
            sample_id for sample_id, is_train, _ in rows if is_train and sample_id not in excluded
        ]
        _save_labels(folder, rows, decisions)
        if dataset.image_size is None:
            raise RuntimeError(f"data set {dataset.id} is ready but has no image size")
        checkpoint = self._attempt.checkpoint
        return {
            "images": str(self._context.files.image_cache(dataset.id, dataset.image_size)),
            "image_size": dataset.image_size,
            "classes": dataset.classes,
            "content_hash": dataset.content_hash,
            "options": self._attempt.options,
            "out_dir": str(folder),
            "checkpoint": None
            if checkpoint is None
            else str(self._context.files.root / checkpoint),
        }

    def _decisions(self, folder: Path) -> FrozenDecisions:
        """Return the decisions of this training: those at the start of its first attempt."""
        job_folder = self._context.files.job(self._attempt.fence.job_id)
        kept = FrozenDecisions.frozen(job_folder)
        if kept is not None:
            return kept
        if self._attempt.checkpoint is not None:
            return FrozenDecisions.none()  # begun by a version that knew no decisions
        with self._context.database.read() as session:
            now = FrozenDecisions.now(session, self._attempt)
        return now.freeze(job_folder, folder)

    @override
    def translate(self, event: Event) -> RowUpdate:
        match event["event"]:
            case "progress":
                keys = ("epoch", "epochs", "eta_seconds", "images_per_second")
                values = {key: event[key] for key in keys}
                values["fraction"] = INGEST_SHARE + (1 - INGEST_SHARE) * event["fraction"]
                return RowUpdate(values=values)
            case "checkpoint":
                path = Path(event["path"]).relative_to(self._context.files.root)
                return RowUpdate(values={"checkpoint": str(path)})
            case "stage":
                return RowUpdate(values={"stage": event["stage"], **PACE_UNKNOWN})
            case "epoch":
                metrics = {key: event[key] for key in _METRICS}
                return RowUpdate(values={"metrics": metrics}, events=[("epoch", _data(event))])
            case kind:
                return RowUpdate(events=[(kind, _data(event))])

    @override
    def publish(self, folder: Path, lease: Lease) -> None:
        publisher = Publisher(self._context, lease)
        publisher.add_findings(finding_rows(folder, self._sample_ids, publisher.version))
        artifacts = [
            publisher.store(folder / name, kind, media_type)
            for kind, (name, media_type) in ARTIFACTS.items()
            if kind not in _MAY_BE_MISSING or (folder / name).exists()
        ]
        with lease.transaction() as session:
            publisher.finish(session, artifacts, first_look(folder, self._sample_ids))


def _save_labels(
    folder: Path, rows: list[tuple[int, bool, int]], decisions: FrozenDecisions
) -> None:
    """Write what the trainer needs to know of each sample, one array a column."""
    verified = {*decisions.kept, *decisions.relabelled}
    excluded = frozenset(decisions.excluded)
    columns: dict[str, list[int] | list[bool]] = {
        "given_labels": [label for _, _, label in rows],
        "labels": [decisions.relabelled.get(number, label) for number, _, label in rows],
        "is_train": [is_train for _, is_train, _ in rows],
        "is_verified": [number in verified for number, *_ in rows],
        "is_excluded": [number in excluded for number, *_ in rows],
    }
    for name, values in columns.items():
        dtype = np.bool_ if name.startswith("is_") else np.int64
        save_array(folder / f"{name}.npy", np.array(values, dtype=dtype))


def _data(event: Event) -> dict[str, Any]:
    return {key: value for key, value in event.items() if key != "event"}
