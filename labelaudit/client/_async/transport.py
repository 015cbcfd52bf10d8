"""Requests to one service, sent again where that does no harm and may help."""

from collections.abc import AsyncIterator, Mapping
from types import TracebackType
from typing import Any, Self, TypeVar, cast

import httpx2
import stamina

from labelaudit.client.protocol import (
    PAGE,
    RETRIES,
    answer,
    http_options,
    once,
    query,
    raise_for_problem,
    reachable,
    retry_options,
)

A = TypeVar("A")


class AsyncTransport:
    """Sends requests; the first argument of `_get`, `_post`, … is the type of the answer."""

    def __init__(
        self,
        url: str,
        key: str | None = None,
        *,
        retries: int = RETRIES,
        transport: httpx2.AsyncBaseTransport | None = None,
    ) -> None:
        """Speak to the service at `url`; nothing is sent yet.

        Args:
            url: Such as `http://127.0.0.1:8000`.
            key: An API key.
            retries: How often a request is sent again after a failure that may pass. The pauses
                are as long as `Retry-After` says, else they grow.
            transport: How to reach the service, for tests.
        """
        self._http = httpx2.AsyncClient(**http_options(url, key), transport=transport)
        self._retries = retries

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        _type: type[BaseException] | None,
        _error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        await self.close()

    async def _get(self, _answer: type[A], path: str) -> A:
        return cast("A", answer(await self._send("GET", path)))

    async def _get_all(self, _item: type[A], path: str) -> list[A]:
        """Return the items of a list that has no pages."""
        return cast("list[A]", answer(await self._send("GET", path))["items"])

    async def _post(self, _answer: type[A], path: str, body: object = None) -> A:
        # One key for all tries: the service carries the request out once.
        return cast("A", answer(await self._send("POST", path, json=body, headers=once())))

    async def _put(
        self, _answer: type[A], path: str, body: object, headers: Mapping[str, str]
    ) -> A:
        return cast("A", answer(await self._send("PUT", path, json=body, headers=headers)))

    async def _delete(self, path: str) -> None:
        answer(await self._send("DELETE", path))

    async def _iter(
        self, _item: type[A], path: str, filters: Mapping[str, object] | None = None
    ) -> AsyncIterator[A]:
        params = query(filters or {}) | {"limit": str(PAGE)}
        while True:
            page = answer(await self._send("GET", path, params=params))
            for item in page["items"]:
                yield item
            if page["next_cursor"] is None:
                return
            params["cursor"] = page["next_cursor"]

    async def _send(self, method: str, path: str, **options: Any) -> httpx2.Response:
        """Return a good answer; sending the request twice must do no more than sending it once."""
        async for attempt in stamina.retry_context(**retry_options(self._retries)):
            with attempt:
                return await self._send_once(method, path, **options)
        raise AssertionError("the last attempt returns or raises")

    async def _send_once(self, method: str, path: str, **options: Any) -> httpx2.Response:
        with reachable():
            response = await self._http.request(method, path, **options)
        raise_for_problem(response)
        return response
