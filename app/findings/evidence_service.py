"""What a job has kept of a single sample: its losses, and who is most like it."""

from collections.abc import Iterable, Mapping
from math import isfinite
from uuid import UUID

from sqlalchemy.orm import Session

from app.core.blobs import Blobs
from app.core.ids import format_sample_id
from app.core.npy import NpyRecords, Record
from app.core.queue import WakeUps
from app.datasets.service import DatasetService
from app.findings.schemas import EvidenceRead, Lookalike, LossQuartiles
from app.findings.service import FindingService
from app.models import Artifact, Sample

_OF_SAMPLES, _OF_CLASSES = "evidence", "class_losses"
_DIGITS = 4
_LookedUp = list[tuple[int, float]]
"""Positions and similarities."""


class EvidenceService:
    """Reads records of files, for one tenant, inside one unit of work."""

    def __init__(self, session: Session, tenant_id: UUID, wake_ups: WakeUps, blobs: Blobs) -> None:
        """Work for one tenant, whose store is `blobs`."""
        self._findings = FindingService(session, tenant_id, wake_ups)
        self._datasets = DatasetService(session, tenant_id)
        self._blobs = blobs

    def read(self, job_id: str, sample_id: str) -> EvidenceRead:
        """Return what is kept; jobs of older releases have kept nothing.

        Raises:
            NotFoundError: The tenant has no such job, or the job judged no such sample.
            NotFinishedError: It has not succeeded.
            NoFindingsError: It judged no labels.
            StoreUnavailableError: The store does not answer.
        """
        job, row = self._findings.judged(job_id, sample_id)
        sample, classes = self._datasets.find_sample(sample_id)
        files = {artifact.kind: artifact for artifact in self._findings.files(job)}
        record = self._record(files.get(_OF_SAMPLES), sample.position) or {}
        (label,) = record.get("label", (row.given_label,))
        of_class = self._record(files.get(_OF_CLASSES), label) or {}
        given, suggested = (_looked_up(record, name) for name in ("given", "suggested"))
        known = self._datasets.samples_at(job.dataset_id, [at for at, _ in given + suggested])
        return EvidenceRead(
            sample_id=format_sample_id(sample.id),
            label=classes[label],
            losses=_finite(record.get("losses", ())),
            class_losses=_quartiles(of_class),
            like_given=_lookalikes(given, known, classes),
            like_suggested=_lookalikes(suggested, known, classes),
        )

    def _record(self, file: Artifact | None, number: int) -> Record | None:
        return None if file is None else NpyRecords(self._blobs, file.sha256).read(number)


def _looked_up(record: Record, name: str) -> _LookedUp:
    places = record.get(f"like_{name}", ())
    similarities = record.get(f"like_{name}_similarity", ())
    return [pair for pair in zip(places, similarities, strict=True) if pair[0] >= 0]


def _lookalikes(
    found: _LookedUp, known: Mapping[int, Sample], classes: list[str]
) -> list[Lookalike]:
    return [
        Lookalike(
            sample_id=format_sample_id(sample.id),
            path=sample.path,
            given_label=classes[sample.given_label],
            similarity=round(similarity, _DIGITS),
            has_image=sample.sha256 is not None,
        )
        for position, similarity in found
        if (sample := known.get(position)) is not None
    ]


def _quartiles(record: Record) -> LossQuartiles | None:
    lower, median, upper = (_finite(record.get(name, ())) for name in ("lower", "median", "upper"))
    if lower is None or median is None or upper is None:
        return None
    return LossQuartiles(lower=lower, median=median, upper=upper)


def _finite(values: Iterable[float]) -> list[float] | None:
    """Return rounded numbers; None where there are none, which records say by NaN."""
    rounded = [round(value, _DIGITS) for value in values]
    return rounded if rounded and all(map(isfinite, rounded)) else None
