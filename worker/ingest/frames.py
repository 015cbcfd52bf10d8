"""Messages between an ingest and its decoders: some JSON, and the bytes that it speaks of."""

import json
import struct
from collections.abc import Iterable
from typing import Any, BinaryIO

_HEAD = struct.Struct("<2Q")
"""Lengths of the JSON and of the bytes behind it."""


def send(file: BinaryIO, message: Any, pieces: Iterable[bytes] = ()) -> None:
    """Write one message; on return all of it is in the pipe."""
    head, body = json.dumps(message).encode(), b"".join(pieces)
    file.write(_HEAD.pack(len(head), len(body)) + head)
    file.write(body)
    file.flush()


def receive(file: BinaryIO) -> tuple[Any, bytes]:
    """Return the next message and its bytes.

    Raises:
        EOFError: The other side has ended.
    """
    num_head_bytes, num_body_bytes = _HEAD.unpack(_read(file, _HEAD.size))
    message = json.loads(_read(file, num_head_bytes))
    return message, _read(file, num_body_bytes)


def _read(file: BinaryIO, num_bytes: int) -> bytes:
    data = file.read(num_bytes)
    if len(data) < num_bytes:
        raise EOFError
    return data
