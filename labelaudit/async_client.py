"""A client of the HTTP service for programs that wait for many things at once."""

import time
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Literal, Self, TypeVar, cast

import anyio
import httpx2
import stamina
from anyio import to_thread

from labelaudit import calls
from labelaudit.async_model_calls import AsyncModelCalls
from labelaudit.calls import Call, Listing
from labelaudit.client import Client
from labelaudit.connection import (
    answer,
    options,
    pause_after,
    raise_for_problem,
    reachable,
    request_options,
    retry_options,
)
from labelaudit.errors import LabelAuditError, is_transient
from labelaudit.link import RETRIES
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
from labelaudit.waiting import FINAL_STATES, POLL_SECONDS, SILENCE_SECONDS, succeeded

A = TypeVar("A")


class AsyncClient(AsyncModelCalls):
    """The calls of `labelaudit.Client`, to be awaited. Use it in an `async with` block.

    Files are sent and written by a thread, `on_sent` is called from there.
    """

    def __init__(
        self,
        url: str,
        key: str | None = None,
        *,
        retries: int = RETRIES,
        transport: httpx2.AsyncBaseTransport | None = None,
    ) -> None:
        """Speak to the service at `url`; nothing is sent yet. See `labelaudit.Client`."""
        self._http = httpx2.AsyncClient(**options(url, key), transport=transport)
        self._retries = retries
        self._files = Client(url, key, retries=retries)

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()
        self._files.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        _type: type[BaseException] | None,
        _error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        await self.close()

    async def _run(self, call: Call[A]) -> A:
        async for attempt in stamina.retry_context(
            on=pause_after(call), **retry_options(self._retries)
        ):
            with attempt, reachable():
                return cast("A", answer(await self._http.request(**request_options(call))))
        raise AssertionError("the last attempt returns or raises")

    async def _iter(self, listing: Listing[A]) -> AsyncIterator[A]:
        cursor: str | None = None
        while True:
            page = await self._run(listing.page(cursor))
            for item in page["items"]:
                yield item
            cursor = page["next_cursor"]
            if cursor is None:
                return

    async def upload_dataset(
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
        """Send an archive; see `labelaudit.Client.upload_dataset`."""
        return await to_thread.run_sync(
            lambda: self._files.upload_dataset(
                path,
                name=name,
                options=options,
                audit=audit,
                columns=columns,
                add_to=add_to,
                on_sent=on_sent,
            )
        )

    async def upload_scores(
        self,
        path: Path | str,
        *,
        name: str | None = None,
        on_sent: Callable[[int], None] | None = None,
    ) -> Upload:
        """Send predicted probabilities; see `labelaudit.Client.upload_scores`."""
        return await to_thread.run_sync(
            lambda: self._files.upload_scores(path, name=name, on_sent=on_sent)
        )

    async def image(self, sample_id: str, *, size: Literal["thumb", "full"] = "thumb") -> bytes:
        """Return one image as an encoded file."""
        with reachable():
            response = await self._http.get(f"v1/samples/{sample_id}/image", params={"size": size})
        raise_for_problem(response)
        return response.content

    async def download_export(self, export_id: str, target: Path) -> None:
        """Write a finished export to `target`: whole or not at all."""
        await to_thread.run_sync(self._files.download_export, export_id, target)

    async def wait(
        self, job_id: str, *, on_progress: Callable[[Job], None] = lambda _job: None
    ) -> Job:
        """Return a job once it has succeeded; `on_progress` sees it again and again until then.

        Raises:
            LabelAuditError: It failed or was cancelled, or the service is gone.
        """
        answered = time.monotonic()
        while True:
            try:
                job = await self.get_job(job_id)
            except LabelAuditError as error:
                if not is_transient(error) or time.monotonic() - answered > SILENCE_SECONDS:
                    raise
            else:
                answered = time.monotonic()
                on_progress(job)
                if job["state"] in FINAL_STATES:
                    return succeeded(job)
            await anyio.sleep(POLL_SECONDS)

    def iter_datasets(self) -> AsyncIterator[Dataset]:
        """Yield all data sets, newest first."""
        return self._iter(calls.datasets())

    async def get_dataset(self, dataset_id: str) -> Dataset:
        """Return one data set."""
        return await self._run(calls.get_dataset(dataset_id))

    async def delete_dataset(self, dataset_id: str) -> None:
        """Remove a data set with its jobs, findings and files."""
        await self._run(calls.delete_dataset(dataset_id))

    def iter_samples(self, dataset_id: str) -> AsyncIterator[Sample]:
        """Yield the samples of a data set."""
        return self._iter(calls.samples(dataset_id))

    def iter_rejected(self, dataset_id: str) -> AsyncIterator[RejectedFile]:
        """Yield the files of an upload that were not taken."""
        return self._iter(calls.rejected(dataset_id))

    async def get_sample(self, sample_id: str) -> Sample:
        """Return one sample."""
        return await self._run(calls.get_sample(sample_id))

    async def start_audit(self, dataset_id: str, **wanted: object) -> JobStarted:
        """Audit a data set again, with these options (`preset`, `method`, `signals`, …)."""
        return await self._run(calls.start_audit(dataset_id, wanted))

    def iter_jobs(self, **filters: str) -> AsyncIterator[Job]:
        """Yield jobs, newest first; filters are `state` and `dataset_id`."""
        return self._iter(calls.jobs(filters))

    async def get_job(self, job_id: str) -> Job:
        """Return one job as it is now."""
        return await self._run(calls.get_job(job_id))

    async def cancel(self, job_id: str) -> None:
        """Ask for the end of a job; it stops within seconds."""
        await self._run(calls.cancel(job_id))

    async def retry(self, job_id: str) -> Job:
        """Queue a failed or cancelled job again."""
        return await self._run(calls.retry(job_id))

    async def get_report(self, job_id: str) -> Report:
        """Return the report of a finished audit."""
        return await self._run(calls.get_report(job_id))

    def iter_findings(self, job_id: str, **filters: object) -> AsyncIterator[Finding]:
        """Yield the findings of a finished audit, worst first.

        Args:
            job_id: The audit.
            **filters: `flagged`, `sure`, `min_p`, `max_p`, `min_posterior`, `label`,
                `suggested_label`, `decision`, `verdict`, `sort`.
        """
        return self._iter(calls.findings(job_id, filters))

    async def decide(
        self, sample_id: str, decision: str, *, version: int, **details: str
    ) -> Decision:
        """Decide on a sample as it was at `version`; `label` goes with `relabel`."""
        return await self._run(calls.decide(sample_id, decision, version=version, **details))

    async def decide_many(self, dataset_id: str, decision: str, **details: object) -> Bulk:
        """Decide on all samples that are named or that a filter meets; see the API's page."""
        return await self._run(calls.decide_many(dataset_id, decision, **details))

    async def undo(self, dataset_id: str, step_id: int | None = None) -> Step:
        """Undo a step, by default the last one."""
        return await self._run(calls.undo(dataset_id, step_id))

    async def redo(self, dataset_id: str, step_id: int | None = None) -> Step:
        """Redo a step, by default the one undone last."""
        return await self._run(calls.redo(dataset_id, step_id))

    def iter_decisions(self, dataset_id: str) -> AsyncIterator[LogEntry]:
        """Yield the log of decisions, oldest first."""
        return self._iter(calls.decisions(dataset_id))

    async def start_export(self, dataset_id: str, **wanted: object) -> ExportStarted:
        """Have a data set written for another tool; its job is to be waited for.

        Args:
            dataset_id: The data set.
            **wanted: `format` and what else the service takes, such as `labels` and `min_p`.
        """
        return await self._run(calls.start_export(dataset_id, wanted))

    async def get_export(self, export_id: str) -> Export:
        """Return one export."""
        return await self._run(calls.get_export(export_id))

    def iter_webhooks(self) -> AsyncIterator[Webhook]:
        """Yield the receivers of messages."""
        return self._iter(calls.webhooks())

    async def create_webhook(self, url: str) -> NewWebhook:
        """Have a receiver told when jobs end; the secret is shown this once."""
        return await self._run(calls.create_webhook(url))

    async def delete_webhook(self, webhook_id: str) -> None:
        """Send nothing more to a receiver."""
        await self._run(calls.delete_webhook(webhook_id))

    def iter_keys(self) -> AsyncIterator[Key]:
        """Yield the API keys of the tenant."""
        return self._iter(calls.keys())

    async def create_key(self, name: str, scopes: list[str], **wanted: object) -> NewKey:
        """Make an API key; it is shown this once."""
        return await self._run(calls.create_key(name, scopes, wanted))

    async def revoke_key(self, key_id: str) -> None:
        """Make a key worthless at once."""
        await self._run(calls.revoke_key(key_id))
