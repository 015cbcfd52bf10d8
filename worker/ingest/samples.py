"""From candidates to samples: the one pass over the files."""

import statistics
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import NamedTuple

from worker.files.errors import RefusedFileError
from worker.files.limits import Limits, ReadMeter
from worker.ingest.blob_writer import BlobWriter
from worker.ingest.decoding import DecodedFile, UnpackedFile
from worker.ingest.images import longer_side
from worker.ingest.layout import Place
from worker.ingest.members import Candidate, Source
from worker.ingest.pixel_writer import PixelWriter

MIN_IMAGE_SIZE = 8
MAX_IMAGE_SIZE = 192
"""What the largest network of the presets sees; others get smaller copies."""
_SIZE_STEP = 8
_NUM_PROBES = 64


class Sample(NamedTuple):
    """One labelled image whose bytes are in the store."""

    path: str
    place: Place
    sha256: str
    num_bytes: int | None
    """None where an earlier version brought the file."""
    thumb_sha256: str | None
    thumb_num_bytes: int | None
    media_type: str
    width: int
    height: int


class SampleReader:
    """Reads one file at a time: into the blob store, and into the cache of decoded images."""

    def __init__(
        self, archive: Source, store: BlobWriter, limits: Limits, *, archive_bytes: int
    ) -> None:
        self._archive = archive
        self._store = store
        self._limits = limits
        self._archive_bytes = archive_bytes
        self._meter = ReadMeter(limits, archive_bytes=archive_bytes)

    @property
    def num_unpacked_bytes(self) -> int:
        """What came out of the archive so far."""
        return self._meter.num_bytes

    def choose_image_size(self, candidates: Sequence[Candidate]) -> int:
        """Return a side for the cache that suits the images.

        That is the median of the longer sides of some images spread over the whole set.
        """
        step = max(1, len(candidates) // _NUM_PROBES)
        sides = islice(filter(None, map(self._longer_side, candidates[::step])), _NUM_PROBES)
        side = statistics.median_low(list(sides) or [MAX_IMAGE_SIZE])
        rounded_up = -(-side // _SIZE_STEP) * _SIZE_STEP
        return min(max(rounded_up, MIN_IMAGE_SIZE), MAX_IMAGE_SIZE)

    def unpack(self, candidates: Iterable[Candidate]) -> Iterator[UnpackedFile]:
        """Yield the files as they are in the archive."""
        for candidate in candidates:
            try:
                yield UnpackedFile(candidate, self._archive.read(candidate.member, self._meter))
            except RefusedFileError as error:
                yield UnpackedFile(candidate, b"", error)

    def store(self, file: DecodedFile, pixels: PixelWriter) -> Sample:
        """Store an image and append its pixels to the cache.

        Raises:
            RefusedFileError: The file is no image that can be taken; nothing was stored.
        """
        candidate, data, image = file
        if isinstance(image, RefusedFileError):
            raise image
        thumbnail = image.thumbnail
        pixels.write(image.row)
        return Sample(
            path=candidate.path,
            place=candidate.place,
            sha256=self._store.put(data),
            num_bytes=len(data),
            thumb_sha256=None if thumbnail is None else self._store.put(thumbnail),
            thumb_num_bytes=None if thumbnail is None else len(thumbnail),
            media_type=image.media_type,
            width=image.width,
            height=image.height,
        )

    def _longer_side(self, candidate: Candidate) -> int | None:
        # A meter of its own: these files are read again.
        meter = ReadMeter(self._limits, archive_bytes=self._archive_bytes)
        try:
            data = self._archive.read(candidate.member, meter)
            return longer_side(data, max_pixels=self._limits.max_image_pixels)
        except RefusedFileError:
            return None
