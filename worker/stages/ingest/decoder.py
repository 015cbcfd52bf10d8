"""A decoder: `python -P -m worker.stages.ingest.decoder`, started by an ingest for large uploads.

It inherits the walls around the ingest, reads batches of files from standard input and answers
each on standard output. It opens no file and ends with its ingest. A message is some JSON and the
bytes that it speaks of.
"""

import json
import struct
import sys
import time
import warnings
from collections.abc import Iterable
from contextlib import suppress
from typing import Any, BinaryIO

from worker.files.errors import RefusedFileError, RejectCode
from worker.processes.child import die_with_parent
from worker.stages.ingest.images import decode_image

_HEAD = struct.Struct("<2Q")
"""Lengths of the JSON and of the bytes behind it."""


def main() -> None:
    """Answer until the ingest closes the pipe."""
    die_with_parent()
    warnings.simplefilter("ignore")  # Pillow's remarks on odd files; what matters raises
    source, target = sys.stdin.buffer, sys.stdout.buffer
    with suppress(EOFError):
        options, _ = receive(source)
        while True:
            sizes, data = receive(source)
            answers, pieces = _decode_all(data, sizes, options)
            send(target, {"files": answers, "processor_seconds": time.process_time()}, pieces)


def _decode_all(
    data: bytes, sizes: list[int], options: dict[str, int]
) -> tuple[list[Any], list[bytes]]:
    answers: list[Any] = []
    pieces: list[bytes] = []
    start = 0
    for size in sizes:
        file = data[start : start + size]
        start += size
        try:
            image = decode_image(file, **options)
        except RefusedFileError as error:
            answers.append(_refused(error))
            continue
        thumbnail = image.thumbnail
        pieces += [image.row] if thumbnail is None else [image.row, thumbnail]
        num_thumbnail_bytes = None if thumbnail is None else len(thumbnail)
        answers.append([image.media_type, image.width, image.height, num_thumbnail_bytes])
    return answers, pieces


def _refused(error: RefusedFileError) -> list[str] | None:
    """Return the reason; None for a large picture, which the ingest decodes itself."""
    code, detail = error.refusal
    return None if code is RejectCode.IMAGE_TOO_LARGE else [code, detail]


def send(file: BinaryIO, message: Any, pieces: Iterable[bytes] = ()) -> None:
    """Write one message and flush it."""
    head, body = json.dumps(message).encode(), b"".join(pieces)
    file.write(_HEAD.pack(len(head), len(body)) + head)
    file.write(body)
    file.flush()


def receive(file: BinaryIO) -> tuple[Any, bytes]:
    """Read one message.

    Raises:
        EOFError: The other process has ended.
    """
    num_head_bytes, num_body_bytes = _HEAD.unpack(_read(file, _HEAD.size))
    message = json.loads(_read(file, num_head_bytes))
    return message, _read(file, num_body_bytes)


def _read(file: BinaryIO, num_bytes: int) -> bytes:
    data = file.read(num_bytes)
    if len(data) < num_bytes:
        raise EOFError
    return data


if __name__ == "__main__":
    main()
