"""A decoder: `python -P -m worker.ingest.decoder`, started by an ingest for large uploads.

It inherits the walls around the ingest, reads batches of files from standard input and answers
each on standard output. It opens no file and ends with its ingest.
"""

import sys
import time
import warnings
from contextlib import suppress
from typing import Any

from worker.child import die_with_parent
from worker.files.errors import RefusedFileError, RejectCode
from worker.ingest.frames import receive, send
from worker.ingest.images import decode_image


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
    """Say why; nothing where the picture is only too large for a decoder beside others."""
    code, detail = error.refusal
    return None if code is RejectCode.IMAGE_TOO_LARGE else [code, detail]


if __name__ == "__main__":
    main()
