"""A client of the HTTP service that waits for its answers."""

import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Literal

from labelaudit import calls
from labelaudit.connection import raise_for_problem, reachable
from labelaudit.model_calls import ModelCalls
from labelaudit.resumable import RESUMABLE_FROM_BYTES, ResumableUpload
from labelaudit.schemas import (
    Bulk,
    Dataset,
    Decision,
    Export,
    ExportStarted,
    Finding,
    Job,
    JobStarted,
    Key,
    LogEntry,
    NewKey,
    NewWebhook,
    RejectedFile,
    Report,
    Sample,
    Step,
    Upload,
    Webhook,
)
from labelaudit.waiting import wait_for_job


class Client(ModelCalls):
    """Calls one service with one key. Use it in a `with` block, or close it.

    A POST is sent with an `Idempotency-Key`, so that it is carried out once, however often it is
    sent. Failures are `labelaudit.errors.LabelAuditError` with a stable `code`.
    """

    def upload_dataset(
        self,
        path: Path | str,
        *,
        name: str | None = None,
        options: Mapping[str, object] | None = None,
        audit: bool = True,
        columns: Mapping[str, object] | None = None,
        add_to: str | None = None,
        on_sent: Callable[[int], None] | None = None,
    ) -> Upload:
        """Send an archive; by default it is audited too, with these options.

        A large one is sent in pieces: where the line breaks or the service restarts, it goes on.

        Args:
            path: The archive.
            name: Name of the data set.
            options: Options of the audit, such as `method` and `epochs`.
            audit: Whether to audit the data set once it is taken in.
            columns: What a table of labels calls `path`, `label`, `split` and `annotator`, or as
                `labels` the columns of several annotators.
            add_to: Id of a data set that the images are added to. That one stays as it is; the
                answer names its next version.
            on_sent: Called with the number of bytes sent so far.
        """
        path = Path(path)
        route = "v1/datasets" if add_to is None else f"v1/datasets/{add_to}/parts"
        if path.stat().st_size >= RESUMABLE_FROM_BYTES:
            wanted = dict(options or {}) if audit else "none"
            body = {"audit": wanted, "name": name or "", "columns": dict(columns or {})}
            return self._upload_resumably(route, path, body, on_sent)
        form = {"audit": json.dumps(dict(options or {})) if audit else "none"}
        if name is not None:
            form["name"] = name
        if columns:
            form["columns"] = json.dumps(dict(columns))
        return self._upload(route, path, form, on_sent)

    def upload_scores(
        self,
        path: Path | str,
        *,
        name: str | None = None,
        on_sent: Callable[[int], None] | None = None,
    ) -> Upload:
        """Send predicted probabilities; they are judged without training.

        Args:
            path: An npz or Parquet file with `pred_probs` and `given_label`.
            name: Name of the data set that its rows become.
            on_sent: Called with the number of bytes sent so far.
        """
        path = Path(path)
        if path.stat().st_size >= RESUMABLE_FROM_BYTES:
            return self._upload_resumably("v1/scores", path, {"name": name or ""}, on_sent)
        form = {} if name is None else {"name": name}
        return self._upload("v1/scores", path, form, on_sent)

    def _upload_resumably(
        self,
        route: str,
        path: Path,
        wanted: Mapping[str, object],
        on_sent: Callable[[int], None] | None,
    ) -> Upload:
        """Send a file in pieces, then say what is to become of it."""
        upload_id = ResumableUpload(self._send, path, on_sent=on_sent).run()
        return self._run(calls.register_upload(route, upload_id, wanted))

    def iter_datasets(self) -> Iterator[Dataset]:
        """Yield all data sets, newest first."""
        return self._iter(calls.datasets())

    def get_dataset(self, dataset_id: str) -> Dataset:
        """Return one data set."""
        return self._run(calls.get_dataset(dataset_id))

    def delete_dataset(self, dataset_id: str) -> None:
        """Remove a data set with its jobs, findings and files."""
        self._run(calls.delete_dataset(dataset_id))

    def iter_samples(self, dataset_id: str) -> Iterator[Sample]:
        """Yield the samples of a data set."""
        return self._iter(calls.samples(dataset_id))

    def iter_rejected(self, dataset_id: str) -> Iterator[RejectedFile]:
        """Yield the files of an upload that were not taken."""
        return self._iter(calls.rejected(dataset_id))

    def get_sample(self, sample_id: str) -> Sample:
        """Return one sample."""
        return self._run(calls.get_sample(sample_id))

    def image(self, sample_id: str, *, size: Literal["thumb", "full"] = "thumb") -> bytes:
        """Return one image as an encoded file."""
        with reachable():
            response = self._http.get(f"v1/samples/{sample_id}/image", params={"size": size})
        raise_for_problem(response)
        return response.content

    def start_audit(self, dataset_id: str, **wanted: object) -> JobStarted:
        """Audit a data set again, with these options (`preset`, `method`, `signals`, …)."""
        return self._run(calls.start_audit(dataset_id, wanted))

    def iter_jobs(self, **filters: str) -> Iterator[Job]:
        """Yield jobs, newest first; filters are `state` and `dataset_id`."""
        return self._iter(calls.jobs(filters))

    def get_job(self, job_id: str) -> Job:
        """Return one job as it is now."""
        return self._run(calls.get_job(job_id))

    def wait(self, job_id: str, *, on_progress: Callable[[Job], None] = lambda _job: None) -> Job:
        """Return a job once it has succeeded; `on_progress` sees it again and again until then.

        Raises:
            LabelAuditError: It failed or was cancelled, or the service is gone.
        """
        return wait_for_job(self.get_job, job_id, show=on_progress)

    def cancel(self, job_id: str) -> None:
        """Ask for the end of a job; it stops within seconds."""
        self._run(calls.cancel(job_id))

    def retry(self, job_id: str) -> Job:
        """Queue a failed or cancelled job again."""
        return self._run(calls.retry(job_id))

    def get_report(self, job_id: str) -> Report:
        """Return the report of a finished audit."""
        return self._run(calls.get_report(job_id))

    def iter_findings(self, job_id: str, **filters: object) -> Iterator[Finding]:
        """Yield the findings of a finished audit, worst first.

        Args:
            job_id: The audit.
            **filters: `flagged`, `sure`, `min_p`, `max_p`, `min_posterior`, `label`,
                `suggested_label`, `decision`, `verdict`, `sort`.
        """
        return self._iter(calls.findings(job_id, filters))

    def decide(self, sample_id: str, decision: str, *, version: int, **details: str) -> Decision:
        """Decide on a sample as it was at `version`; `label` goes with `relabel`."""
        return self._run(calls.decide(sample_id, decision, version=version, **details))

    def decide_many(self, dataset_id: str, decision: str, **details: object) -> Bulk:
        """Decide on all samples that are named or that a filter meets; see the API's page."""
        return self._run(calls.decide_many(dataset_id, decision, **details))

    def undo(self, dataset_id: str, step_id: int | None = None) -> Step:
        """Undo a step, by default the last one."""
        return self._run(calls.undo(dataset_id, step_id))

    def redo(self, dataset_id: str, step_id: int | None = None) -> Step:
        """Redo a step, by default the one undone last."""
        return self._run(calls.redo(dataset_id, step_id))

    def iter_decisions(self, dataset_id: str) -> Iterator[LogEntry]:
        """Yield the log of decisions, oldest first."""
        return self._iter(calls.decisions(dataset_id))

    def start_export(self, dataset_id: str, **wanted: object) -> ExportStarted:
        """Have a data set written for another tool; its job is to be waited for.

        Args:
            dataset_id: The data set.
            **wanted: `format` and what else the service takes, such as `labels` and `min_p`.
        """
        return self._run(calls.start_export(dataset_id, wanted))

    def get_export(self, export_id: str) -> Export:
        """Return one export."""
        return self._run(calls.get_export(export_id))

    def download_export(self, export_id: str, target: Path) -> None:
        """Write a finished export to `target`: whole or not at all."""
        self._download(f"v1/exports/{export_id}/download", target, {})

    def iter_webhooks(self) -> Iterator[Webhook]:
        """Yield the receivers of messages."""
        return self._iter(calls.webhooks())

    def create_webhook(self, url: str) -> NewWebhook:
        """Have a receiver told when jobs end; the secret is shown this once."""
        return self._run(calls.create_webhook(url))

    def delete_webhook(self, webhook_id: str) -> None:
        """Send nothing more to a receiver."""
        self._run(calls.delete_webhook(webhook_id))

    def iter_keys(self) -> Iterator[Key]:
        """Yield the API keys of the tenant."""
        return self._iter(calls.keys())

    def create_key(self, name: str, scopes: list[str], **wanted: object) -> NewKey:
        """Make an API key; it is shown this once."""
        return self._run(calls.create_key(name, scopes, wanted))

    def revoke_key(self, key_id: str) -> None:
        """Make a key worthless at once."""
        self._run(calls.revoke_key(key_id))
