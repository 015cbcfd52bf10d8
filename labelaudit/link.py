"""A connection to one service, for what `labelaudit.calls` describes and for files."""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar, cast
from uuid import uuid4

import httpx2
import stamina

from labelaudit import calls
from labelaudit.calls import Call, Listing
from labelaudit.connection import (
    UPLOAD_TIMEOUT,
    answer,
    as_text,
    options,
    pause_after,
    raise_for_problem,
    reachable,
    request_options,
    retry_options,
)
from labelaudit.files import ReportingFile, replacing
from labelaudit.schemas import Upload

A = TypeVar("A")
RETRIES = 4


class Connection:
    """Sends what `labelaudit.calls` describes, and files."""

    def __init__(
        self,
        url: str,
        key: str | None = None,
        *,
        retries: int = RETRIES,
        transport: httpx2.BaseTransport | None = None,
    ) -> None:
        """Speak to the service at `url`; nothing is sent yet.

        Args:
            url: Such as `http://127.0.0.1:8000`.
            key: An API key.
            retries: How often a call is sent again where that does no harm and may help: as long
                as the service asks for by `Retry-After`, else ever more slowly.
            transport: How to reach the service, for tests.
        """
        self._http = httpx2.Client(**options(url, key), transport=transport)
        self._retries = retries

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

    def _run(self, call: Call[A]) -> A:
        for attempt in stamina.retry_context(on=pause_after(call), **retry_options(self._retries)):
            with attempt, reachable():
                return cast("A", answer(self._http.request(**request_options(call))))
        raise AssertionError("the last attempt returns or raises")

    def _iter(self, listing: Listing[A]) -> Iterator[A]:
        cursor: str | None = None
        while True:
            page = self._run(listing.page(cursor))
            yield from page["items"]
            cursor = page["next_cursor"]
            if cursor is None:
                return

    def _upload(
        self,
        route: str,
        path: Path,
        form: Mapping[str, str],
        on_sent: Callable[[int], None] | None,
    ) -> Upload:
        call: Call[Upload] = calls.post(route, key=uuid4().hex)
        for attempt in stamina.retry_context(on=pause_after(call), **retry_options(self._retries)):
            with attempt, ReportingFile(path, on_sent) as file, reachable():
                response = self._http.post(
                    route,
                    data=form,
                    files={"file": (as_text(path.name), file)},
                    headers=dict(call.headers),
                    timeout=UPLOAD_TIMEOUT,
                )
                return cast("Upload", answer(response))
        raise AssertionError("the last attempt returns or raises")

    def _download(self, path: str, target: Path, params: Mapping[str, str]) -> None:
        # To the store, where that sends its own files; the key stays here.
        options: dict[str, Any] = {"params": dict(params), "follow_redirects": True}
        with reachable(), self._http.stream("GET", path, **options) as response:
            if not response.is_success:
                response.read()
                raise_for_problem(response)
            with replacing(target) as temporary, temporary.open("wb") as file:
                for chunk in response.iter_bytes():
                    file.write(chunk)

    def _send(
        self, method: str, path: str, headers: Mapping[str, str], content: bytes = b""
    ) -> httpx2.Response:
        with reachable():
            response = self._http.request(
                method, path, headers=dict(headers), content=content, timeout=UPLOAD_TIMEOUT
            )
        raise_for_problem(response)
        return response
