"""A small client of the HTTP service."""

import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self, cast

import httpx2

from labelaudit.answers import answer, as_text, raise_for_problem, reachable
from labelaudit.errors import InputError
from labelaudit.files import ReportingFile
from labelaudit.model_calls import ModelCalls
from labelaudit.resumable import RESUMABLE_FROM_BYTES, ResumableUpload
from labelaudit.schemas import Dataset, ExportStarted, Finding, Job, RejectedFile, Report, Upload

_PAGE = 500
# An upload may take hours, and the service answers it only when all is on disk.
_TIMEOUT = httpx2.Timeout(connect=10, read=60, write=60, pool=10)
_UPLOAD_TIMEOUT = httpx2.Timeout(connect=10, read=600, write=None, pool=10)
_LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})


class Client(ModelCalls):
    """Calls one service with one key. Use it in a `with` block, or close it."""

    def __init__(
        self, url: str, key: str | None = None, *, transport: httpx2.BaseTransport | None = None
    ) -> None:
        """Speak to the service at `url`; nothing is sent yet."""
        base = _parse_url(url)
        self._http = httpx2.Client(
            base_url=base,
            headers={"Authorization": f"Bearer {_checked_key(key)}"} if key else {},
            timeout=_TIMEOUT,
            follow_redirects=False,  # a redirect must not carry the key elsewhere
            trust_env=base.host not in _LOOPBACK,  # no proxy stands before this machine itself
            transport=transport,
        )

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

    def get_dataset(self, dataset_id: str) -> Dataset:
        """Return one data set."""
        return cast("Dataset", self._get(f"v1/datasets/{dataset_id}"))

    def get_job(self, job_id: str) -> Job:
        """Return one job as it is now."""
        return cast("Job", self._get(f"v1/jobs/{job_id}"))

    def cancel(self, job_id: str) -> None:
        """Ask for the end of a job; it stops within seconds."""
        with reachable():
            response = self._http.post(f"v1/jobs/{job_id}/cancel")
        raise_for_problem(response)

    def get_report(self, job_id: str) -> Report:
        """Return the report of a finished audit."""
        return self._get(f"v1/jobs/{job_id}/report")

    def iter_findings(self, job_id: str, *, flagged: bool | None = None) -> Iterator[Finding]:
        """Yield the findings of a finished audit, worst first."""
        filters = {} if flagged is None else {"flagged": str(flagged).lower()}
        return cast("Iterator[Finding]", self._pages(f"v1/jobs/{job_id}/samples", filters))

    def iter_rejected(self, dataset_id: str) -> Iterator[RejectedFile]:
        """Yield the files of an upload that were not taken."""
        return cast("Iterator[RejectedFile]", self._pages(f"v1/datasets/{dataset_id}/rejected", {}))

    def image(self, sample_id: str, *, size: Literal["thumb", "full"] = "thumb") -> bytes:
        """Return one image as an encoded file."""
        with reachable():
            response = self._http.get(f"v1/samples/{sample_id}/image", params={"size": size})
        raise_for_problem(response)
        return response.content

    def start_export(self, dataset_id: str, **options: object) -> ExportStarted:
        """Have a data set written for another tool; its job is to be waited for.

        Args:
            dataset_id: The data set.
            **options: `format` and what else the service takes, such as `labels` and `min_p`.
        """
        with reachable():
            response = self._http.post(f"v1/datasets/{dataset_id}/exports", json=options)
        return cast("ExportStarted", answer(response))

    def get_export_name(self, export_id: str) -> str:
        """Return the file name of a finished export."""
        name: str = self._get(f"v1/exports/{export_id}")["file"]["name"]
        return name

    def download_export(self, export_id: str, target: Path) -> None:
        """Write a finished export to `target`: whole or not at all."""
        self._download(f"v1/exports/{export_id}/download", target, {})

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        _type: type[BaseException] | None,
        _error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        self.close()

    def _upload(
        self,
        route: str,
        path: Path,
        form: Mapping[str, str],
        on_sent: Callable[[int], None] | None,
    ) -> Upload:
        with ReportingFile(path, on_sent) as file, reachable():
            response = self._http.post(
                route,
                data=form,
                files={"file": (as_text(path.name), file)},
                timeout=_UPLOAD_TIMEOUT,
            )
        return cast("Upload", answer(response))

    def _upload_resumably(
        self,
        route: str,
        path: Path,
        wanted: Mapping[str, object],
        on_sent: Callable[[int], None] | None,
    ) -> Upload:
        """Send a file in pieces, then say what is to become of it; saying it again does no harm."""
        upload_id = ResumableUpload(self._send, path, on_sent=on_sent).run()
        body = {"upload_id": upload_id, **wanted}
        with reachable():
            response = self._http.post(route, json=body, timeout=_UPLOAD_TIMEOUT)
        return cast("Upload", answer(response))

    def _send(
        self, method: str, path: str, headers: Mapping[str, str], content: bytes = b""
    ) -> httpx2.Response:
        with reachable():
            response = self._http.request(
                method, path, headers=dict(headers), content=content, timeout=_UPLOAD_TIMEOUT
            )
        raise_for_problem(response)
        return response

    def _pages(self, path: str, filters: Mapping[str, str]) -> Iterator[dict[str, Any]]:
        params = {**filters, "limit": str(_PAGE)}
        while True:
            page = self._get(path, params)
            yield from page["items"]
            if page["next_cursor"] is None:
                return
            params["cursor"] = page["next_cursor"]


def _parse_url(url: str) -> httpx2.URL:
    hint = "for example http://127.0.0.1:8000"
    try:
        parsed = httpx2.URL(url.rstrip("/") + "/")
    except httpx2.InvalidURL as error:
        raise InputError(f"{url} is no URL: {error}", code="invalid_url", hint=hint) from error
    if parsed.scheme not in {"http", "https"} or not parsed.host:
        raise InputError(f"{url} is no http URL", code="invalid_url", hint=hint)
    return parsed


def _checked_key(key: str) -> str:
    key = key.strip()
    if not (key.isascii() and key.isprintable()):
        raise InputError("the API key has characters that no key has", code="invalid_key")
    return key
