"""Findings of an audit, its artifacts, and what a job has kept of a single sample."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, replace
from math import isfinite
from uuid import UUID

from pydantic import TypeAdapter
from sqlalchemy import Select
from sqlalchemy.orm import Session

from app.core.blobs import Blobs
from app.core.ids import format_sample_id, not_found, parse_sample_id
from app.core.npy import NpyRecords, Record
from app.core.pagination import Cursors, FiniteNumber, PageRequest, RowNumber, paginate
from app.core.queue import WakeUps
from app.core.schemas import Page
from app.datasets.service import DatasetService
from app.findings.query import FindingQuery, FindingRow, SuspectTally
from app.findings.repository import FindingRepository, TwinRepository
from app.findings.schemas import (
    ArtifactRead,
    CursorExpiredError,
    EvidenceRead,
    FindingPlace,
    FindingRead,
    FormatNotAvailableError,
    FormNotMadeError,
    Lookalike,
    LossQuartiles,
    ModelFormat,
    NoFindingsError,
    NoModelError,
    NotFinishedError,
    Twin,
)
from app.jobs.service import JobService
from app.models import (
    JUDGING_KINDS,
    Artifact,
    Dataset,
    Job,
    JobKind,
    JobState,
    ResultVersion,
    Sample,
)

_REPORT = "report"
_COUNTED_SUSPECTS = 100_000
"""A list of data sets must not wait for a count of millions."""
_ONNX_HINT = "pip install 'labelaudit[onnx]'"
PLACE: TypeAdapter[tuple[int, float, int]] = TypeAdapter(tuple[RowNumber, FiniteNumber, RowNumber])
"""Version of the results, and a key of the order: loss or posterior, and rank."""


class FindingService:
    """Results of one tenant's jobs, inside one unit of work."""

    def __init__(self, session: Session, tenant_id: UUID, wake_ups: WakeUps) -> None:
        """Work for one tenant."""
        self._findings = FindingRepository(session, tenant_id)
        self._twins = TwinRepository(session, tenant_id)
        self._jobs = JobService(session, tenant_id, wake_ups)
        self._datasets = DatasetService(session, tenant_id)

    def page(self, job_id: str, query: FindingQuery, page: PageRequest) -> Page[FindingRead]:
        """List findings.

        Raises:
            NotFoundError: The tenant has no such job.
            NotFinishedError: It has not succeeded.
            InvalidCursorError: The cursor is of another query.
            CursorExpiredError: The results that it walks through were replaced long ago.
        """
        job, published = self._published(job_id)
        classes = self._datasets.classes(job.dataset_id)
        cursors = Cursors(PLACE, {"job": job.id, **asdict(query)})

        def findings(*, after: tuple[int, float, int] | None, limit: int) -> Sequence[FindingRow]:
            # Pinned to the version: a walk never mixes two results.
            version_id, place = (published, None) if after is None else (after[0], after[1:])
            if version_id != published and not self._findings.is_kept(version_id, job.id):
                raise CursorExpiredError("Newer results were published a day ago; begin again.")
            return self._findings.page(version_id, query, classes=classes, after=place, limit=limit)

        rows, cursor = paginate(
            page, cursors, findings, key=lambda row: (row.version_id, *row.key(query.sort))
        )
        return Page(items=[FindingRead.of(row, classes) for row in rows], next_cursor=cursor)

    def place(self, job_id: str, sample_id: str, query: FindingQuery) -> FindingPlace:
        """Return what a job says of one sample, and the samples beside it in a list.

        Raises:
            NotFoundError: The tenant has no such job, or the job judged no such sample.
            NotFinishedError: It has not succeeded.
        """
        job, row = self.judged(job_id, sample_id)
        version_id = row.version_id
        classes = self._datasets.classes(job.dataset_id)
        after = row.key(query.sort)
        beside = [
            self._findings.page(version_id, each, classes=classes, after=after, limit=1)
            for each in (replace(query, sort=query.sort.reverse), query)
        ]
        previous_id, next_id = (
            format_sample_id(rows[0].sample_id) if rows else None for rows in beside
        )
        finding = FindingRead.of(row, classes)
        return FindingPlace(finding=finding, previous_id=previous_id, next_id=next_id)

    def judged(self, job_id: str, sample_id: str) -> tuple[Job, FindingRow]:
        """Return a job and what it says of one sample.

        Raises:
            NotFoundError: The tenant has no such job, or the job judged no such sample.
            NotFinishedError: It has not succeeded.
            NoFindingsError: It judged no labels.
        """
        job, version_id = self._published(job_id)
        row = self._findings.get(version_id, parse_sample_id(sample_id))
        if row is None:
            raise not_found("sample")
        return job, row

    def twins(self, job_id: str, sample_ids: Sequence[str]) -> dict[str, list[Twin]]:
        """Return, by sample, the other samples that show the very same picture.

        Raises:
            NotFoundError: The tenant has no such job.
            NotFinishedError: It has not succeeded.
        """
        job, version_id = self._published(job_id)
        classes = self._datasets.classes(job.dataset_id)
        twins: defaultdict[str, list[Twin]] = defaultdict(list)
        for row in self._twins.of(version_id, [parse_sample_id(each) for each in sample_ids]):
            twins[format_sample_id(row.of_sample)].append(Twin.of(row, classes))
        return twins

    def tally(self, job_id: str) -> SuspectTally:
        """Count a job's suspects and the decisions on them.

        Raises:
            NotFoundError: The tenant has no such job.
            NotFinishedError: It has not succeeded.
            NoFindingsError: It judged no labels.
        """
        _, version_id = self._published(job_id)
        return self._findings.tally(version_id, at_most=_COUNTED_SUSPECTS)

    def matching(
        self,
        job_id: str,
        query: FindingQuery,
        *,
        dataset: Dataset,
        sample_ids: Sequence[int] | None = None,
    ) -> Select[int, int]:
        """Return the query for (sample_id, suggested_label) of what a list of findings would show.

        Of these samples or of all.

        Raises:
            NotFoundError: The data set has no such job.
            NotFinishedError: It has not succeeded.
        """
        job, version_id = self._published(job_id)
        if job.dataset_id != dataset.id:
            raise not_found("job")
        return self._findings.matching(version_id, query, dataset.classes, sample_ids=sample_ids)

    def artifacts(self, job_id: str) -> Page[ArtifactRead]:
        """List the files of a job; none before it has succeeded."""
        rows = self.files(self._jobs.find(job_id))
        return Page(items=[ArtifactRead.of(row) for row in rows], next_cursor=None)

    def files(self, job: Job) -> Sequence[Artifact]:
        """Return the files of a job, none before it has succeeded."""
        return [] if job.result_version is None else self._findings.artifacts(job.result_version)

    def report(self, job_id: str) -> Artifact:
        """Return the report's row."""
        return self._artifact(job_id, _REPORT)

    def model(self, job_id: str, model_format: ModelFormat) -> Artifact:
        """Return the row of the model in one of its forms.

        Raises:
            NoModelError: The job judged uploaded probabilities.
            FormNotMadeError: The audit is of a version before that form.
            FormatNotAvailableError: The extra for that form was missing where the audit ran.
        """
        if self._jobs.find(job_id).kind == JobKind.SCORE:
            raise NoModelError("This job judged uploaded probabilities; it trained no model.")
        _, version_id = self._published(job_id)
        made = {artifact.kind: artifact for artifact in self._findings.artifacts(version_id)}
        if model_format.value in made:
            return made[model_format.value]
        if model_format is ModelFormat.ONNX and ModelFormat.TORCHSCRIPT.value in made:
            raise FormatNotAvailableError(
                f"The worker of this audit could not write ONNX (see the report's warnings). Where "
                f"workers run: {_ONNX_HINT} - then audit again. TorchScript and safetensors are "
                "there.",
                install=_ONNX_HINT,
            )
        raise FormNotMadeError(
            f"This audit ended without {model_format}: audit the data set again. Its safetensors "
            "load in plain PyTorch."
        )

    def finished_files(self, job_id: str) -> tuple[Job, Sequence[Artifact]]:
        """Return a job that has succeeded, and its files.

        Raises:
            NotFoundError: The tenant has no such job, or it made no files.
            NotFinishedError: It has not succeeded.
        """
        job = self._finished(job_id)
        files = self.files(job)
        if not files:
            raise not_found("file")
        return job, files

    def file(self, job_id: str, name: str) -> Artifact:
        """Return the row of one file by its name.

        Raises:
            NotFoundError: The tenant has no such job, or that no such file.
            NotFinishedError: It has not succeeded.
        """
        for artifact in self.finished_files(job_id)[1]:
            if artifact.name == name:
                return artifact
        raise not_found("file")

    def _artifact(self, job_id: str, kind: str) -> Artifact:
        _, version_id = self._published(job_id)
        for artifact in self._findings.artifacts(version_id):
            if artifact.kind == kind:
                return artifact
        raise not_found(kind)

    def published(self, job_id: str) -> tuple[Job, ResultVersion]:
        """Return a job that judged labels, and the version of its results that is shown.

        Raises:
            NotFoundError: The tenant has no such job.
            NotFinishedError: It has not succeeded.
            NoFindingsError: It judged no labels.
        """
        job, version_id = self._published(job_id)
        return job, self._findings.version(version_id)

    def _finished(self, job_id: str) -> Job:
        job = self._jobs.find(job_id)
        if job.state != JobState.SUCCEEDED:
            raise NotFinishedError(f"The job is {job.state}.", state=job.state)
        return job

    def _published(self, job_id: str) -> tuple[Job, int]:
        job = self._finished(job_id)
        if job.kind not in JUDGING_KINDS or job.result_version is None:
            raise NoFindingsError("This job judged no labels.")
        return job, job.result_version


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
