# Made from labelaudit/client/_async/api.py by `make api-docs`; do not edit.
"""The calls of the service, one method each."""

import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from time import monotonic
from typing import Any, Literal, TypeAlias, cast

from labelaudit.client._sync.files import FileTransport
from labelaudit.errors import LabelAuditError, is_transient, job_error
from labelaudit.schemas import (
    Artifact,
    Bulk,
    Dataset,
    DatasetSummary,
    Decision,
    Export,
    ExportCreated,
    Finding,
    Job,
    JobCreated,
    Key,
    KeyCreated,
    LogEntry,
    Predictions,
    RejectedFile,
    Report,
    Sample,
    SigningKey,
    Step,
    Webhook,
    WebhookCreated,
)

ModelForm: TypeAlias = Literal["safetensors", "card", "torchscript", "onnx"]
SUMS_NAME = "SHA256SUMS"
FINAL_STATES = frozenset({"succeeded", "failed", "cancelled"})
POLL_SECONDS = 0.5
SILENCE_SECONDS = 60.0
"""A service that does not answer for so long is given up."""
_MAX_PREDICT_WAIT_SECONDS = 30


class Client(FileTransport):
    """Calls one service with one key. Close it, or open it by `with`.

    A POST is sent with an `Idempotency-Key`: the service carries it out once, however often it is
    sent. A failure is a `labelaudit.errors.LabelAuditError` with a stable `code`.
    """

    def iter_datasets(self) -> Iterator[DatasetSummary]:
        """Yield all data sets, newest first."""
        return self._iter(DatasetSummary, "v1/datasets")

    def get_dataset(self, dataset_id: str) -> Dataset:
        """Return one data set."""
        return self._get(Dataset, f"v1/datasets/{dataset_id}")

    def delete_dataset(self, dataset_id: str) -> None:
        """Remove a data set with its jobs, findings and files."""
        self._delete(f"v1/datasets/{dataset_id}")

    def iter_samples(self, dataset_id: str) -> Iterator[Sample]:
        """Yield the samples of a data set."""
        return self._iter(Sample, f"v1/datasets/{dataset_id}/samples")

    def iter_rejected(self, dataset_id: str) -> Iterator[RejectedFile]:
        """Yield the files of an upload that became no sample."""
        return self._iter(RejectedFile, f"v1/datasets/{dataset_id}/rejected")

    def get_sample(self, sample_id: str) -> Sample:
        """Return one sample."""
        return self._get(Sample, f"v1/samples/{sample_id}")

    def image(self, sample_id: str, *, size: Literal["thumb", "full"] = "thumb") -> bytes:
        """Return one image as an encoded file."""
        path = f"v1/samples/{sample_id}/image"
        response = self._send("GET", path, params={"size": size})
        return response.content

    def start_audit(self, dataset_id: str, **wanted: object) -> JobCreated:
        """Audit a data set again, with these options (`preset`, `method`, `signals`, …)."""
        return self._post(JobCreated, "v1/jobs", {"dataset_id": dataset_id, **wanted})

    def iter_jobs(self, **filters: str) -> Iterator[Job]:
        """Yield jobs, newest first; the filters are `state` and `dataset_id`."""
        return self._iter(Job, "v1/jobs", filters)

    def get_job(self, job_id: str) -> Job:
        """Return one job as it is now."""
        return self._get(Job, f"v1/jobs/{job_id}")

    def wait(
        self,
        job_id: str,
        *,
        on_progress: Callable[[Job], None] = lambda _job: None,
        check: Callable[[], None] = lambda: None,
    ) -> Job:
        """Return a job after it has succeeded.

        The job does not depend on this program: a service that does not answer is asked again
        for a minute.

        Args:
            job_id: The job.
            on_progress: Called with each state seen.
            check: Called before each request; it raises where waiting is useless.

        Raises:
            LabelAuditError: The job failed or was cancelled, or the service is gone.
        """
        answered = monotonic()
        while True:
            check()
            try:
                job = self.get_job(job_id)
            except LabelAuditError as error:
                if not is_transient(error) or monotonic() - answered > SILENCE_SECONDS:
                    raise
            else:
                answered = monotonic()
                on_progress(job)
                if job["state"] in FINAL_STATES:
                    return _succeeded(job)
            time.sleep(POLL_SECONDS)

    def cancel(self, job_id: str) -> None:
        """Ask for the end of a job; it stops within seconds."""
        self._post(Job, f"v1/jobs/{job_id}/cancel")

    def retry(self, job_id: str) -> Job:
        """Queue a failed or cancelled job again."""
        return self._post(Job, f"v1/jobs/{job_id}/retry")

    def get_report(self, job_id: str) -> Report:
        """Return the report of a finished audit."""
        return self._get(Report, f"v1/jobs/{job_id}/report")

    def iter_findings(self, job_id: str, **filters: object) -> Iterator[Finding]:
        """Yield the findings of a finished audit, worst first.

        Args:
            job_id: The audit.
            **filters: `flagged`, `sure`, `min_p`, `max_p`, `min_posterior`, `label`,
                `suggested_label`, `decision`, `verdict`, `sort`.
        """
        return self._iter(Finding, f"v1/jobs/{job_id}/samples", filters)

    def decide(self, sample_id: str, decision: str, *, version: int, **details: str) -> Decision:
        """Decide on a sample as it was at `version`; `label` goes with `relabel`."""
        body = {"decision": decision, **details}
        path = f"v1/samples/{sample_id}/decision"
        return self._put(Decision, path, body, {"If-Match": f'"{version}"'})

    def decide_many(self, dataset_id: str, decision: str, **details: object) -> Bulk:
        """Decide on all samples that are named or that match a filter."""
        body = {"decision": decision, **details}
        return self._post(Bulk, f"v1/datasets/{dataset_id}/decisions", body)

    def undo(self, dataset_id: str, step_id: int | None = None) -> Step:
        """Undo a step, by default the last one."""
        path = f"v1/datasets/{dataset_id}/decisions/undo"
        return self._post(Step, path, {"step_id": step_id})

    def redo(self, dataset_id: str, step_id: int | None = None) -> Step:
        """Redo a step, by default the one undone last."""
        path = f"v1/datasets/{dataset_id}/decisions/redo"
        return self._post(Step, path, {"step_id": step_id})

    def iter_decisions(self, dataset_id: str) -> Iterator[LogEntry]:
        """Yield the log of decisions, oldest first."""
        return self._iter(LogEntry, f"v1/datasets/{dataset_id}/decisions")

    def start_export(self, dataset_id: str, **wanted: object) -> ExportCreated:
        """Start the export of a data set for another tool; wait for the job of the answer.

        Args:
            dataset_id: The data set.
            **wanted: `format` and the other options of an export, such as `labels` and `min_p`.
        """
        return self._post(ExportCreated, f"v1/datasets/{dataset_id}/exports", wanted)

    def get_export(self, export_id: str) -> Export:
        """Return one export."""
        return self._get(Export, f"v1/exports/{export_id}")

    def download_export(self, export_id: str, target: Path) -> None:
        """Write a finished export to `target`: whole or not at all."""
        self._download(f"v1/exports/{export_id}/download", target)

    def download_model(self, job_id: str, target: Path, *, form: ModelForm = "safetensors") -> None:
        """Write the trained model in one form, or its card, to `target`: whole or not at all."""
        self._download(f"v1/jobs/{job_id}/model", target, {"format": form})

    def list_artifacts(self, job_id: str) -> list[Artifact]:
        """Return all files of a finished job, with size and SHA-256."""
        return self._get_all(Artifact, f"v1/jobs/{job_id}/artifacts")

    def download_artifact(self, job_id: str, name: str, target: Path) -> None:
        """Write one file of a finished job to `target`: whole or not at all."""
        self._download(f"v1/jobs/{job_id}/artifacts/{name}", target)

    def download_sums(self, job_id: str, folder: Path) -> None:
        """Write `SHA256SUMS` and its signature, `SHA256SUMS.sig`, into a folder."""
        for name in (SUMS_NAME, f"{SUMS_NAME}.sig"):
            self.download_artifact(job_id, name, folder / name)

    def signing_keys(self) -> list[SigningKey]:
        """Return all public keys that this service has ever signed with."""
        return self._get_all(SigningKey, ".well-known/labelaudit/signing-keys")

    def predict(self, job_id: str, images: Iterable[Path | str], *, top_k: int = 5) -> Predictions:
        """Classify image files with the model of a finished audit, and wait for the answer.

        Args:
            job_id: The audit.
            images: JPEG, PNG, WebP or BMP files; one that cannot be read has an `error`.
            top_k: How many classes `top` lists.

        Raises:
            LabelAuditError: There is no such model, or the prediction's own job failed.
        """
        wait = _MAX_PREDICT_WAIT_SECONDS
        started = self.start_predict(job_id, images, top_k=top_k, wait=wait)
        if "items" in started:
            return cast("Predictions", started)
        self.wait(started["job_id"])
        return self.get_predictions(started["job_id"])

    def start_predict(
        self, job_id: str, images: Iterable[Path | str], *, top_k: int = 5, wait: float = 0
    ) -> dict[str, Any]:
        """Send images; return the answer, or after `wait` seconds the `job_id` to wait for."""
        params = {"top_k": str(top_k), "wait": str(wait)}
        return self._send_images(f"v1/jobs/{job_id}/predict", images, params)

    def get_predictions(self, predict_job_id: str) -> Predictions:
        """Return the answer of a predict job that has succeeded."""
        return self._get(Predictions, f"v1/jobs/{predict_job_id}/predictions")

    def iter_webhooks(self) -> Iterator[Webhook]:
        """Yield the webhooks."""
        return self._iter(Webhook, "v1/webhooks")

    def create_webhook(self, url: str) -> WebhookCreated:
        """Make a webhook that is told when jobs end; only this answer shows its secret."""
        return self._post(WebhookCreated, "v1/webhooks", {"url": url})

    def delete_webhook(self, webhook_id: str) -> None:
        """Remove a webhook."""
        self._delete(f"v1/webhooks/{webhook_id}")

    def iter_keys(self) -> Iterator[Key]:
        """Yield the API keys of the tenant."""
        return self._iter(Key, "v1/keys")

    def create_key(self, name: str, scopes: list[str], **wanted: object) -> KeyCreated:
        """Make an API key; only this answer shows it."""
        return self._post(KeyCreated, "v1/keys", {"name": name, "scopes": scopes, **wanted})

    def revoke_key(self, key_id: str) -> None:
        """Revoke an API key at once."""
        self._delete(f"v1/keys/{key_id}")


def _succeeded(job: Job) -> Job:
    if job["state"] == "succeeded":
        return job
    problem = job["error"] or {"code": job["state"], "detail": f"the job was {job['state']}"}
    raise job_error(problem["code"], problem["detail"])
