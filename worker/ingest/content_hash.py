"""The identity of a data set: its labelled images, however they were packed."""

import hashlib
import heapq
import os
from collections.abc import Iterable, Iterator
from itertools import pairwise
from json.encoder import encode_basestring_ascii as as_json
from pathlib import Path
from tempfile import TemporaryFile
from typing import cast

_LINES_AT_ONCE = 10_000
_CHUNK_BYTES = 16 * 1024


class ContentHash:
    """SHA-256 of the sorted lines of all samples. What is sorted waits on disk, not in memory."""

    def __init__(self, folder: Path) -> None:
        """Put a file without a name below `folder`."""
        self._file = TemporaryFile(dir=folder)  # noqa: SIM115 - until `close`
        self._lines: list[bytes] = []
        self._ends = [0]
        """Of each sorted run in the file."""

    def close(self) -> None:
        """Give the disk space back."""
        self._file.close()

    def add(self, split: str, class_name: str, file: str, sha256: str) -> None:
        """Take in one sample; of its place below the class folder only the last name counts."""
        texts = map(as_json, (split, class_name, file.rpartition("/")[2], sha256))
        self._lines.append(f"[{', '.join(texts)}]".encode())
        if len(self._lines) == _LINES_AT_ONCE:
            self._set_aside()

    def hexdigest(self) -> str:
        """Return the hash of all."""
        digest = hashlib.sha256()
        separator = b""
        for line in self._sorted():
            digest.update(separator + line)
            separator = b"\n"
        return digest.hexdigest()

    def _set_aside(self) -> None:
        self._lines.sort()
        self._file.write(b"".join(line + b"\n" for line in self._lines))
        self._ends.append(self._file.tell())
        self._lines.clear()

    def _sorted(self) -> Iterable[bytes]:
        self._file.flush()
        runs = [self._run(start, end) for start, end in pairwise(self._ends)]
        return cast("Iterable[bytes]", heapq.merge(sorted(self._lines), *runs))

    def _run(self, start: int, end: int) -> Iterator[bytes]:
        begun = b""
        while start < end:
            chunk = os.pread(self._file.fileno(), min(_CHUNK_BYTES, end - start), start)
            start += len(chunk)
            *lines, begun = (begun + chunk).split(b"\n")
            yield from lines
