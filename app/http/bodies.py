"""Request bodies of any size, in pieces: nothing is spooled, memory stays flat."""

from collections.abc import AsyncGenerator
from contextlib import aclosing

import anyio
from starlette.requests import ClientDisconnect, Request

from app.core.errors import PayloadTooLargeError
from app.http.errors import TruncatedUploadError

_BATCH_BYTES = 1024 * 1024
_SILENT_SECONDS = 120.0
"""A client that vanished without a word would keep its request open for ever."""


def announced_bytes(request: Request, *, max_bytes: int) -> int:
    """Return the size that the body is said to have, 0 where nothing is said.

    Raises:
        PayloadTooLargeError: It is more than `max_bytes`.
    """
    text = request.headers.get("content-length", "")
    num_bytes = int(text) if text.isascii() and text.isdecimal() else 0
    if num_bytes > max_bytes:
        raise _too_large(max_bytes)
    return num_bytes


async def body_batches(request: Request, *, max_bytes: int) -> AsyncGenerator[bytes]:
    """Yield the body in pieces of about 1 MiB: one hop to a thread each is cheap enough.

    Raises:
        PayloadTooLargeError: There is more than `max_bytes`.
        TruncatedUploadError: The client hung up or fell silent; all that came was yielded.
    """
    batch, num_bytes = bytearray(), 0
    async with aclosing(_chunks(request)) as chunks:
        try:
            async for chunk in chunks:
                num_bytes += len(chunk)
                if num_bytes > max_bytes:
                    raise _too_large(max_bytes)
                batch += chunk
                if len(batch) >= _BATCH_BYTES:
                    yield bytes(batch)
                    batch.clear()
        except (ClientDisconnect, TimeoutError) as error:
            yield bytes(batch)
            raise TruncatedUploadError("The body ended before it was whole.") from error
    yield bytes(batch)


async def _chunks(request: Request) -> AsyncGenerator[bytes]:
    async with aclosing(request.stream()) as stream:
        while True:
            try:
                with anyio.fail_after(_SILENT_SECONDS):
                    chunk = await anext(stream)
            except StopAsyncIteration:
                return
            yield chunk


def _too_large(max_bytes: int) -> PayloadTooLargeError:
    return PayloadTooLargeError(f"An upload may have {max_bytes} bytes.", max_bytes=max_bytes)
