"""Results on their way in: staged in short fenced transactions, made visible by one."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any
from uuid import UUID

import numpy as np
import numpy.typing as npt
from sqlalchemy.orm import Session

from app.core.bulk import ROWS_PER_TRANSACTION, Columns
from app.datasets.intake_repository import IntakeRepository
from app.datasets.removal_repository import ResultTable
from app.findings.publish_repository import PublishRepository
from app.jobs.lease_repository import LeaseRepository
from app.models import (
    Artifact,
    Finding,
    JobState,
    LossRank,
    PosteriorRank,
    SampleRank,
    minus_posterior,
)
from worker.runtime.claim import Lease
from worker.runtime.stage import StageContext


class Publisher:
    """Publishes the results of one attempt under a version of its own."""

    def __init__(self, context: StageContext, lease: Lease, *, of_job: UUID | None = None) -> None:
        """Open a version that nobody sees yet, of the job's own results or of another job's."""
        self._of_job = of_job or context.attempt.fence.job_id
        self._context = context
        self._attempt = context.attempt
        self._lease = lease
        with lease.transaction(stage="publish") as session:
            self.version = self._results(session).stage(attempt=lease.fence.attempt)

    def add_findings(self, batches: Iterable[Columns]) -> None:
        """Stage findings by rank, each with this `version`, in a transaction for each batch."""
        for table, rows in result_rows(batches):
            with self._lease.transaction() as session:
                self._results(session).add_rows(table, rows)
        with self._lease.transaction() as session:
            self._results(session).refresh_statistics()

    def store(self, file: Path, kind: str, media_type: str) -> Artifact:
        """Move a finished file into the store; return its row, for `finish`."""
        sha256, num_bytes = self._context.blobs.adopt(file)
        return Artifact(
            tenant_id=self._attempt.tenant_id,
            job_id=self._of_job,
            version_id=self.version,
            kind=kind,
            name=file.name,
            sha256=sha256,
            num_bytes=num_bytes,
            media_type=media_type,
        )

    def finish(
        self,
        session: Session,
        artifacts: Sequence[Artifact],
        first_look: Sequence[tuple[int, bool]] = (),
    ) -> None:
        """Show everything at once and end the job, inside the caller's transaction of the lease.

        Args:
            session: Of the transaction.
            artifacts: Files of the results.
            first_look: Samples to look at first, and whether chance alone chose each.

        Raises:
            FencedError: Somebody else owns the job; nothing is shown.
        """
        self._add(session, artifacts)
        self._results(session).set_first_look(first_look)
        self._results(session).supersede()
        self._end(session, result_version=self.version)
        self._results(session).drop_unpublished()

    def replace(
        self, session: Session, old_version: int, report: Artifact, calibration: dict[str, Any]
    ) -> bool:
        """Show this version in place of an older one, with its other files, and end the job.

        Returns:
            Whether the older one was still shown; if not, nothing was done.

        Raises:
            FencedError: Somebody else owns the job; nothing is shown.
        """
        results = self._results(session)
        if not results.swap(old_version, self.version):
            return False
        results.learn(old_version, self.version, calibration)
        results.move_artifacts(old_version, self.version, but=report.kind)
        self._add(session, [report])
        self._end(session)
        results.drop_unpublished()
        return True

    def _add(self, session: Session, artifacts: Sequence[Artifact]) -> None:
        attempt = self._attempt
        sizes = {artifact.sha256: artifact.num_bytes for artifact in artifacts}
        IntakeRepository(session, attempt.tenant_id, attempt.dataset_id).add_blobs(sizes)
        for artifact in artifacts:
            self._results(session).add_artifact(artifact)

    def _end(self, session: Session, **values: Any) -> None:
        LeaseRepository(session).finish(
            self._lease.fence,
            JobState.SUCCEEDED,
            stage="done",
            fraction=1.0,
            eta_seconds=0.0,
            checkpoint=None,
            **values,
        )

    def _results(self, session: Session) -> PublishRepository:
        return PublishRepository(session, self._attempt.tenant_id, self._of_job)


def result_rows(findings: Iterable[Columns]) -> Iterator[tuple[ResultTable, Columns]]:
    """Yield batches of findings, which come by rank, and after them where they are found.

    Rows that come in the order of their key fill page after page; in any other order each of
    them changes some page in the middle, which on ten million rows takes most of the time.
    """
    ids, ranks, losses, posteriors, version = [], [], [], [], 0
    for batch in findings:
        yield Finding, batch
        ids.append(np.array(batch["sample_id"], dtype=np.int64))
        ranks.append(np.array(batch["rank"], dtype=np.int32))
        losses.append(np.array(batch["loss"], dtype=np.float64))
        posteriors.append(np.array([minus_posterior(value) for value in batch["posterior"]]))
        version = batch["version_id"][0]
    if not ids:
        return
    rank = np.concatenate(ranks)
    yield from _in_order(SampleRank, version, {"sample_id": np.concatenate(ids)}, rank)
    yield from _in_order(LossRank, version, {"loss": np.concatenate(losses)}, rank)
    keys = {"minus_posterior": np.concatenate(posteriors)}
    yield from _in_order(PosteriorRank, version, keys, rank)


def _in_order(
    table: ResultTable,
    version: int,
    key: dict[str, npt.NDArray[np.int64] | npt.NDArray[np.float64]],
    rank: npt.NDArray[np.int32],
) -> Iterator[tuple[ResultTable, Columns]]:
    ((name, values),) = key.items()
    order = np.argsort(values, kind="stable")  # so equal losses stay by rank
    for first in range(0, len(order), ROWS_PER_TRANSACTION):
        batch = order[first : first + ROWS_PER_TRANSACTION]
        yield (
            table,
            {
                "version_id": [version] * len(batch),
                name: values[batch].tolist(),
                "rank": rank[batch].tolist(),
            },
        )
