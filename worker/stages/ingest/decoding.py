"""Decoding the files of an upload: in this process, or of a large upload in one for each core.

The ingest unpacks, stores and counts; decoders only turn bytes into pixels. Answers are taken in
the order of the files, so the outcome is the same, whichever decoder is faster.
"""

import io
import os
import select
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any, BinaryIO, NamedTuple, TypeAlias, cast

from worker.files.errors import RefusedFileError, RejectCode
from worker.files.limits import SafePoint, require_time
from worker.stages.ingest.decoder import receive, send
from worker.stages.ingest.images import DecodedImage, decode_image
from worker.stages.ingest.layout import Candidate

_MAX_DECODERS = 8
_MIN_BYTES = 4 * 1024**2
"""Smaller uploads are decoded sooner than a process starts."""
_BATCH_FILES = 128
_BATCH_BYTES = 1024**2
_MAX_PIXELS = 16_000_000
"""Larger pictures are decoded by the ingest itself, one at a time: they take the most memory."""
_POLL_SECONDS = 0.2


class UnpackedFile(NamedTuple):
    """The content of one candidate."""

    candidate: Candidate
    data: bytes
    refusal: RefusedFileError | None = None
    """The reason why there is no content."""


class DecodedFile(NamedTuple):
    """The content of one candidate, and the image or the reason for refusing it."""

    candidate: Candidate
    data: bytes
    outcome: DecodedImage | RefusedFileError


Decode: TypeAlias = Callable[[Iterable[UnpackedFile]], Iterator[DecodedFile]]
"""Decodes files, in order."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Decoder:
    """Decodes files one after the other, all with the same options."""

    image_size: int
    max_pixels: int

    @property
    def row_bytes(self) -> int:
        """Size of an image's row in the cache."""
        return self.image_size**2 * 3

    def decode(self, files: Iterable[UnpackedFile]) -> Iterator[DecodedFile]:
        """Decode files, in order."""
        for file in files:
            yield DecodedFile(file.candidate, file.data, self.outcome(file))

    def outcome(self, file: UnpackedFile) -> DecodedImage | RefusedFileError:
        """Decode one file, if it was not refused before."""
        if file.refusal is not None:
            return file.refusal
        try:
            return decode_image(file.data, image_size=self.image_size, max_pixels=self.max_pixels)
        except RefusedFileError as error:
            return error


@contextmanager
def decoding(
    decoder: Decoder, *, num_bytes: int, cpu_seconds: float, safe_point: SafePoint
) -> Iterator[Decode]:
    """Give a function that decodes files; `num_bytes` is their claimed size.

    All processes together may use `cpu_seconds` of processor time.
    """
    number = num_decoders(num_bytes)
    if not number:
        yield decoder.decode
        return
    pool = _Pool(decoder, cpu_seconds, safe_point)
    try:
        pool.start(number)
        yield pool.decode
    finally:
        pool.close()


def num_decoders(num_bytes: int) -> int:
    """Return the number of processes for so many bytes; 0: this process decodes."""
    num_cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 1
    return min(num_cores, _MAX_DECODERS) if num_cores > 1 and num_bytes >= _MIN_BYTES else 0


class _Process:
    """One decoder process; it gets a batch only after it has answered the previous one."""

    def __init__(self) -> None:
        """Start the process, which inherits the limits of this one; `end` must be called."""
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "worker.stages.ingest.decoder"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        self._to = cast("BinaryIO", self._process.stdin)
        self._from = cast("BinaryIO", self._process.stdout)
        self._batch: list[UnpackedFile] = []
        self.processor_seconds = 0.0

    def begin(self, options: dict[str, int]) -> None:
        """Send the options for all files."""
        send(self._to, options)

    def give(self, batch: list[UnpackedFile]) -> None:
        """Send a batch, without files that are refused already."""
        self._batch = batch
        contents = [file.data for file in batch if file.refusal is None]
        send(self._to, [len(content) for content in contents], contents)

    def answer(self, decoder: Decoder, safe_point: SafePoint) -> list[DecodedFile]:
        """Wait for the answer to the batch."""
        while not select.select([self._from], [], [], _POLL_SECONDS)[0]:
            safe_point()
        try:
            message, pixels = receive(self._from)
        except EOFError:
            raise RuntimeError(f"a decoder ended with {self._process.wait()}") from None
        self.processor_seconds = message["processor_seconds"]
        return list(_decoded(self._batch, message["files"], pixels, decoder))

    def end(self) -> None:
        """Kill the process, which holds no state."""
        self._process.kill()
        with suppress(BrokenPipeError), self._process:
            pass


class _Pool:
    """Several decoder processes; the oldest batch is waited for first."""

    def __init__(self, decoder: Decoder, cpu_seconds: float, safe_point: SafePoint) -> None:
        self._decoder = decoder
        self._cpu_seconds = cpu_seconds
        self._safe_point = safe_point
        self._processes: list[_Process] = []

    def start(self, number: int) -> None:
        """Start the decoders."""
        max_pixels = min(self._decoder.max_pixels, _MAX_PIXELS)
        options = {"image_size": self._decoder.image_size, "max_pixels": max_pixels}
        for _ in range(number):
            self._processes.append(_Process())
            self._processes[-1].begin(options)

    def decode(self, files: Iterable[UnpackedFile]) -> Iterator[DecodedFile]:
        """Decode files, in order."""
        idle = list(self._processes)
        busy: deque[_Process] = deque()
        for batch in _batches(files):
            answer: list[DecodedFile] = []
            if not idle:
                answer = self._answer(busy[0])
                idle.append(busy.popleft())
            busy.append(idle.pop())
            busy[-1].give(batch)  # gives the decoder work while the answer is stored
            yield from answer
        for process in busy:
            yield from self._answer(process)

    def close(self) -> None:
        """End all decoders."""
        for process in self._processes:
            process.end()

    def _answer(self, process: _Process) -> list[DecodedFile]:
        answer = process.answer(self._decoder, self._safe_point)
        require_time(sum(each.processor_seconds for each in self._processes), self._cpu_seconds)
        return answer


def _batches(files: Iterable[UnpackedFile]) -> Iterator[list[UnpackedFile]]:
    batch: list[UnpackedFile] = []
    num_bytes = 0
    for file in files:
        batch.append(file)
        num_bytes += len(file.data)
        if len(batch) == _BATCH_FILES or num_bytes >= _BATCH_BYTES:
            yield batch
            batch, num_bytes = [], 0
    if batch:
        yield batch


def _decoded(
    batch: list[UnpackedFile], answers: list[Any], pixels: bytes, decoder: Decoder
) -> Iterator[DecodedFile]:
    """Join files with their answers; decode the files without an answer here."""
    body, left = io.BytesIO(pixels), iter(answers)
    for file in batch:
        answer = next(left) if file.refusal is None else None
        outcome = decoder.outcome(file) if answer is None else _outcome(answer, body, decoder)
        yield DecodedFile(file.candidate, file.data, outcome)


def _outcome(
    answer: list[Any], pixels: BinaryIO, decoder: Decoder
) -> DecodedImage | RefusedFileError:
    if len(answer) == 2:
        return RefusedFileError(RejectCode(answer[0]), answer[1])
    media_type, width, height, num_thumbnail_bytes = answer
    row = pixels.read(decoder.row_bytes)
    thumbnail = None if num_thumbnail_bytes is None else pixels.read(num_thumbnail_bytes)
    return DecodedImage(media_type, width, height, row, thumbnail)
