# Made from labelaudit/client/_async/files.py by `make api-docs`; do not edit.
"""Files to and from the service. Large uploads survive a broken connection: tus 1.0.0."""

import base64
import hashlib
import json
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack
from pathlib import Path
from time import monotonic
from typing import Any, BinaryIO, cast

import httpx2
import stamina

from labelaudit.client._sync.transport import Transport
from labelaudit.client.files import ReportingFile, in_place
from labelaudit.client.protocol import (
    PREDICT_TIMEOUT,
    UPLOAD_TIMEOUT,
    answer,
    as_text,
    once,
    raise_for_problem,
    reachable,
    retry_options,
)
from labelaudit.errors import ApiError, InputError, LabelAuditError, is_transient
from labelaudit.files import replacing, sync_to_disk
from labelaudit.schemas import Submission

RESUMABLE_FROM_BYTES = 64 * 1024**2
"""Smaller files are sent in one form: starting again costs little."""
PIECE_BYTES = 16 * 1024**2
"""Each piece is checked and stored by itself; a broken connection costs one at most."""
SILENCE_SECONDS = 120.0
"""An upload that makes no progress for so long is given up."""
_FIRST_PAUSE, _LONGEST_PAUSE = 0.2, 15.0
_UPLOADS = "v1/uploads"
_WORTH_ANOTHER_TRY = frozenset({409, 423, 460})
"""Another offset than expected, a request of ours that still runs, a piece damaged on its way."""
_NO_SPACE = 507


class FileTransport(Transport):
    """Sends and receives files."""

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
    ) -> Submission:
        """Send an archive; by default it is audited too.

        A large archive is sent in pieces: after a broken connection or a restart of the service,
        the upload continues where it was.

        Args:
            path: The archive.
            name: Name of the data set.
            options: Options of the audit, such as `method` and `epochs`.
            audit: Whether to audit the data set after it is read.
            columns: The table's names for `path`, `label`, `split` and `annotator`; or, as
                `labels`, the columns of several annotators.
            add_to: Id of a data set that the images are added to. That data set does not change;
                the answer names its next version.
            on_sent: Called with the number of bytes sent so far.
        """
        path = Path(path)
        route = "v1/datasets" if add_to is None else f"v1/datasets/{add_to}/parts"
        wanted = dict(options or {}) if audit else "none"
        if path.stat().st_size >= RESUMABLE_FROM_BYTES:
            body = {"audit": wanted, "name": name or "", "columns": dict(columns or {})}
            return self._upload_resumably(route, path, body, on_sent)
        form = {"audit": json.dumps(wanted) if audit else "none"}
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
    ) -> Submission:
        """Send predicted probabilities; the labels are judged without training.

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

    def _upload(
        self,
        route: str,
        path: Path,
        form: Mapping[str, str],
        on_sent: Callable[[int], None] | None,
    ) -> Submission:
        """Send a file in one form."""
        headers = once()
        for attempt in stamina.retry_context(**retry_options(self._retries)):
            with attempt, ReportingFile(path, on_sent) as file, reachable():
                response = self._http.post(
                    route,
                    data=form,
                    files={"file": (as_text(path.name), file)},
                    headers=headers,
                    timeout=UPLOAD_TIMEOUT,
                )
                return cast("Submission", answer(response))
        raise AssertionError("the last attempt returns or raises")

    def _upload_resumably(
        self,
        route: str,
        path: Path,
        wanted: Mapping[str, object],
        on_sent: Callable[[int], None] | None,
    ) -> Submission:
        """Send a file in pieces, then register it with the route."""
        upload_id = ResumableUpload(self._http, path, on_sent=on_sent).run()
        return self._post(Submission, route, {"upload_id": upload_id, **wanted})

    def _download(self, path: str, target: Path, params: Mapping[str, str] | None = None) -> None:
        # A store may send its own files: the redirect is followed without the key.
        options: dict[str, Any] = {"params": dict(params or {}), "follow_redirects": True}
        with reachable():
            with self._http.stream("GET", path, **options) as response:
                if not response.is_success:
                    response.read()
                    raise_for_problem(response)
                with replacing(target) as temporary:
                    with temporary.open("wb") as file:
                        for chunk in response.iter_bytes():
                            in_place(file.write, chunk)
                    in_place(sync_to_disk, temporary)

    def _send_images(
        self, path: str, images: Iterable[Path | str], params: Mapping[str, str]
    ) -> dict[str, Any]:
        with ExitStack() as opened, reachable():
            files = [
                ("file", (as_text(image.name), opened.enter_context(image.open("rb"))))
                for image in map(Path, images)
            ]
            response = self._http.post(
                path, params=dict(params), files=files, timeout=PREDICT_TIMEOUT
            )
        return cast("dict[str, Any]", answer(response))


class ResumableUpload:
    """Sends one file in pieces, and continues from the offset that the service reports."""

    def __init__(
        self,
        http: httpx2.Client,
        path: Path,
        *,
        on_sent: Callable[[int], None] | None = None,
    ) -> None:
        """Give up after `SILENCE_SECONDS` without progress."""
        self._http = http
        self._path = path
        self._on_sent = on_sent
        self._renew_patience()

    def run(self) -> str:
        """Send the whole file; return the id of the upload."""
        num_bytes = self._path.stat().st_size
        url = self._create(num_bytes)
        offset = 0
        with self._path.open("rb") as file:
            while offset < num_bytes:
                offset = self._advance(file, url, offset)
                if self._on_sent is not None:
                    self._on_sent(offset)
        return url.rpartition("/")[2]

    def _create(self, num_bytes: int) -> str:
        name = base64.b64encode(as_text(self._path.name).encode()).decode()
        headers = {"Upload-Length": str(num_bytes), "Upload-Metadata": f"filename {name}"}
        while True:
            try:
                created = answer(self._request("POST", _UPLOADS, headers))
            except LabelAuditError as error:
                self._wait_after(error)
            else:
                return f"{_UPLOADS}/{created['upload_id']}"

    def _advance(self, file: BinaryIO, url: str, offset: int) -> int:
        """Send a piece, else ask for the service's offset; return where to continue."""
        try:
            offset = self._send_piece(file, url, offset)
        except LabelAuditError as error:
            self._wait_after(error)
        else:
            self._renew_patience()
            return offset
        try:
            return int((self._request("HEAD", url, {})).headers["upload-offset"])
        except LabelAuditError as error:
            self._wait_after(error)
            return offset

    def _send_piece(self, file: BinaryIO, url: str, offset: int) -> int:
        piece, digest = in_place(_read_piece, file, offset)
        if not piece:
            raise InputError(f"{self._path} became shorter while it was sent", code="file_changed")
        headers = {
            "Upload-Offset": str(offset),
            "Upload-Checksum": f"sha256 {digest}",
            "Content-Type": "application/offset+octet-stream",
        }
        self._request("PATCH", url, headers, piece)
        return offset + len(piece)

    def _request(
        self, method: str, path: str, headers: Mapping[str, str], content: bytes = b""
    ) -> httpx2.Response:
        with reachable():
            response = self._http.request(
                method,
                path,
                headers={"Tus-Resumable": "1.0.0", **headers},
                content=content,
                timeout=UPLOAD_TIMEOUT,
            )
        raise_for_problem(response)
        return response

    def _renew_patience(self) -> None:
        self._pause = _FIRST_PAUSE
        self._until = monotonic() + SILENCE_SECONDS

    def _wait_after(self, error: LabelAuditError) -> None:
        """Pause before the next try, longer each time; raise the error if trying is useless."""
        if not _may_pass(error) or monotonic() > self._until:
            raise error
        time.sleep(self._pause)
        self._pause = min(2 * self._pause, _LONGEST_PAUSE)


def _read_piece(file: BinaryIO, offset: int) -> tuple[bytes, str]:
    """Return the bytes at an offset and their SHA-256 in Base64."""
    file.seek(offset)
    piece = file.read(PIECE_BYTES)
    return piece, base64.b64encode(hashlib.sha256(piece).digest()).decode()


def _may_pass(error: LabelAuditError) -> bool:
    if isinstance(error, ApiError) and error.status == _NO_SPACE:
        return False
    worth = isinstance(error, ApiError) and error.status in _WORTH_ANOTHER_TRY
    return worth or is_transient(error)
