"""Results on their way in: staged in short fenced transactions, made visible by one."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from app.core.bulk import Columns
from app.datasets.intake_repository import IntakeRepository
from app.findings.publish_repository import PublishRepository
from app.jobs.lease_repository import LeaseRepository
from app.models import Artifact, JobState
from worker.runtime.rank_rows import result_rows
from worker.runtime.stage import StageContext
from worker.runtime.supervise import Lease


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
