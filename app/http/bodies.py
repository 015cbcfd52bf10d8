"""Request bodies of any size, plain or `multipart/form-data`, in pieces.

Nothing is spooled: memory stays flat.
"""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass
from typing import Protocol

import anyio
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.requests import ClientDisconnect, Request

from app.core.errors import InvalidRequestError, PayloadTooLargeError
from app.http.errors import TruncatedUploadError, UnsupportedMediaTypeError

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


@dataclass(frozen=True, slots=True)
class PartHead:
    """What a part says of itself."""

    name: str
    filename: str | None


class PartSink(Protocol):
    """Takes the parts of a form in the order of their arrival."""

    def begin(self, head: PartHead) -> None:
        """Get ready for a part."""

    def write(self, chunk: memoryview) -> None:
        """Take some of its bytes; they are only valid during the call."""

    def end(self) -> None:
        """Know that it is whole."""


class FormReader:
    """Push parser: bytes in, calls to a sink out."""

    def __init__(self, content_type: str, sink: PartSink) -> None:
        """Prepare for a body of this type.

        Raises:
            UnsupportedMediaTypeError: It is not `multipart/form-data`.
            InvalidRequestError: It names no usable boundary.
        """
        media_type, options = parse_options_header(content_type)
        if media_type != b"multipart/form-data":
            raise UnsupportedMediaTypeError("Send the upload as multipart/form-data.")
        if not options.get(b"boundary"):
            raise InvalidRequestError("The content type names no boundary.")
        self._sink = sink
        self._name, self._value, self._disposition = bytearray(), bytearray(), ""
        self._ended = False
        try:
            self._parser = self._make_parser(options[b"boundary"])
        except FormParserError as error:
            raise InvalidRequestError(f"Not a form: {error}") from error

    def feed(self, data: bytes) -> None:
        """Parse some of the body.

        Raises:
            InvalidRequestError: It is no form.
        """
        try:
            self._parser.write(data)
        except FormParserError as error:
            raise InvalidRequestError(f"Not a form: {error}") from error

    def finish(self) -> None:
        """Know that the body is over.

        Raises:
            TruncatedUploadError: The last boundary did not come.
        """
        if not self._ended:
            raise TruncatedUploadError("The form ended before its last boundary.")

    def _make_parser(self, boundary: bytes) -> MultipartParser:
        return MultipartParser(
            boundary,
            {
                "on_header_field": lambda data, start, end: self._name.extend(data[start:end]),
                "on_header_value": lambda data, start, end: self._value.extend(data[start:end]),
                "on_header_end": self._end_header,
                "on_headers_finished": self._begin_part,
                "on_part_data": self._write,
                "on_part_end": self._sink.end,
                "on_end": self._end,
            },
        )

    def _end_header(self) -> None:
        if self._name.lower() == b"content-disposition":
            self._disposition = self._value.decode("latin-1")
        self._name.clear()
        self._value.clear()

    def _begin_part(self) -> None:
        _, options = parse_options_header(self._disposition)
        self._disposition = ""
        try:
            name = options[b"name"].decode()
            filename = options[b"filename"].decode() if b"filename" in options else None
        except (KeyError, UnicodeDecodeError) as error:
            raise InvalidRequestError("A part of the form has no readable name.") from error
        self._sink.begin(PartHead(name, filename))

    def _write(self, data: bytes, start: int, end: int) -> None:
        self._sink.write(memoryview(data)[start:end])

    def _end(self) -> None:
        self._ended = True
