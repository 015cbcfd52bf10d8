"""Decisions as they were when a training first started: all its attempts see the same ones."""

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

from sqlalchemy.orm import Session

from app.claims.opinions import disputed
from app.claims.repository import ClaimRepository
from app.core.durable import sync_folder, write_json
from app.learning.repository import LearningRepository
from app.models import Decision
from worker.runtime.attempt import Attempt

_FILE = "decisions.json"


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
        file = folder / _FILE
        if not file.exists():
            return None
        kept = json.loads(file.read_text())
        relabelled = {int(number): label for number, label in kept["relabelled"].items()}
        return cls(kept["kept"], relabelled, kept["excluded"])

    def freeze(self, folder: Path, scratch: Path) -> "FrozenDecisions":
        """Keep them in a job's folder, unless another attempt was faster; return what is kept."""
        temporary = scratch / _FILE
        write_json(temporary, asdict(self))
        try:
            # A link never replaces a file, as a rename would.
            os.link(temporary, folder / _FILE)
            sync_folder(folder)
        except FileExistsError:
            pass
        return FrozenDecisions.frozen(folder) or self
