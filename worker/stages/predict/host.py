"""From images to class probabilities: the child reads and predicts, this side publishes."""

from pathlib import Path
from typing import Any
from uuid import UUID

from typing_extensions import override

from app.core.storage import BlobStore
from app.findings.repository import FindingRepository
from app.jobs.repository import JobRepository
from app.models import Artifact
from app.predictions.schemas import ARTIFACT
from worker.processes.errors import ChildFailedError
from worker.processes.spawn import Event
from worker.runtime.claim import Lease, RowUpdate
from worker.runtime.publisher import Publisher
from worker.runtime.stage import Stage
from worker.stages.predict.files import ANSWER

_WEIGHTS, _CARD = "safetensors", "card"


class PredictStage(Stage):
    """Shows images to the model of an audit that has succeeded."""

    name = "predict"
    module = "worker.stages.predict.child"

    @override
    def spec(self, folder: Path) -> dict[str, Any]:
        options, job_id = self._attempt.options, self._attempt.fence.job_id
        model = self._model(UUID(options["job_id"]))
        names = [artifact.sha256 for artifact in model.values()]
        blobs = BlobStore(self._context.blobs.bring(names, folder, lambda: None))
        with self._context.database.read() as session:
            image_size = self._intake(session).get().image_size
        return {
            "job_id": str(job_id),
            "model_job_id": options["job_id"],
            "weights": str(blobs.path(model[_WEIGHTS].sha256)),
            "card": str(blobs.path(model[_CARD].sha256)),
            "image_size": image_size,
            "inputs": str(self._context.files.inputs(job_id)),
            "num_images": len(options["files"]),
            "files": options["files"],
            "top_k": options["top_k"],
            "limits": self._context.limits | {"max_files": len(options["files"])},
            "out_dir": str(folder),
        }

    @override
    def translate(self, event: Event) -> RowUpdate:
        return RowUpdate()

    @override
    def publish(self, folder: Path, lease: Lease) -> None:
        publisher = Publisher(self._context, lease)
        answer = publisher.store(folder / ANSWER, ARTIFACT, "application/json")
        with lease.transaction() as session:
            publisher.finish(session, [answer])

    def _model(self, job_id: UUID) -> dict[str, Artifact]:
        """Return the files of the audit's model by kind.

        Raises:
            ChildFailedError: They are gone.
        """
        tenant_id = self._attempt.tenant_id
        with self._context.database.read() as session:
            job = JobRepository(session, tenant_id).get(job_id)
            version = None if job is None else job.result_version
            rows = (
                [] if version is None else FindingRepository(session, tenant_id).artifacts(version)
            )
        found = {row.kind: row for row in rows if row.kind in {_WEIGHTS, _CARD}}
        if len(found) < 2:
            raise ChildFailedError("no_model", "the model of the audit is not there any more")
        return found
