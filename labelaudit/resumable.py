"""Uploads that survive a broken line and a restarted service: tus 1.0.0, from the client's side."""

import base64
import hashlib
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import BinaryIO, Protocol

import httpx2

from labelaudit.errors import ApiError, InputError, LabelAuditError, is_transient

RESUMABLE_FROM_BYTES = 64 * 1024**2
"""Smaller files are sent in one form: beginning anew costs little."""
PIECE_BYTES = 16 * 1024**2
"""Each piece is checked and stored by itself; a broken line costs one at most."""
_SILENCE_SECONDS = 120.0
_FIRST_PAUSE, _LONGEST_PAUSE = 0.2, 15.0
_ROUTE = "v1/uploads"
_WORTH_ANOTHER_TRY = frozenset({409, 423, 460})
"""Another offset than we thought, a request of ours that still ends, a piece damaged on its way."""
_NO_SPACE = 507


class Send(Protocol):
    """Sends one request; raises a `LabelAuditError` where it is not answered well."""

    def __call__(
        self, method: str, path: str, headers: Mapping[str, str], content: bytes = b""
    ) -> httpx2.Response:
        """Return the answer."""


class ResumableUpload:
    """Sends one file piece by piece and goes on wherever the service says that it ends."""

    def __init__(
        self,
        send: Send,
        path: Path,
        *,
        on_sent: Callable[[int], None] | None = None,
        silence_seconds: float = _SILENCE_SECONDS,
    ) -> None:
        """Give up after `silence_seconds` without any progress."""
        self._send = send
        self._path = path
        self._on_sent = on_sent
        self._patience = _Patience(silence_seconds)

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
        name = base64.b64encode(self._path.name.encode(errors="replace")).decode()
        headers = {"Upload-Length": str(num_bytes), "Upload-Metadata": f"filename {name}"}
        while True:
            try:
                answer = self._request("POST", _ROUTE, headers)
            except LabelAuditError as error:
                self._patience.wait_after(error)
            else:
                return f"{_ROUTE}/{answer.json()['upload_id']}"

    def _advance(self, file: BinaryIO, url: str, offset: int) -> int:
        """Send a piece, or find out how far the service really is; return where to go on."""
        try:
            offset = self._send_piece(file, url, offset)
        except LabelAuditError as error:
            self._patience.wait_after(error)
        else:
            self._patience.renew()
            return offset
        try:
            return int(self._request("HEAD", url, {}).headers["upload-offset"])
        except LabelAuditError as error:
            self._patience.wait_after(error)
            return offset

    def _send_piece(self, file: BinaryIO, url: str, offset: int) -> int:
        file.seek(offset)
        piece = file.read(PIECE_BYTES)
        if not piece:
            raise InputError(f"{self._path} became shorter while it was sent", code="file_changed")
        digest = base64.b64encode(hashlib.sha256(piece).digest()).decode()
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
        return self._send(method, path, {"Tus-Resumable": "1.0.0", **headers}, content)


class _Patience:
    """Waits a little longer after each failure, and not for ever."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self.renew()

    def renew(self) -> None:
        """Know that there was progress."""
        self._pause = _FIRST_PAUSE
        self._until = time.monotonic() + self._seconds

    def wait_after(self, error: LabelAuditError) -> None:
        """Pause before another try; raise the error where that is useless."""
        if not _may_go_on(error) or time.monotonic() > self._until:
            raise error
        time.sleep(self._pause)
        self._pause = min(2 * self._pause, _LONGEST_PAUSE)


def _may_go_on(error: LabelAuditError) -> bool:
    if isinstance(error, ApiError):
        if error.status == _NO_SPACE:
            return False
        return error.status in _WORTH_ANOTHER_TRY or is_transient(error)
    return is_transient(error)
