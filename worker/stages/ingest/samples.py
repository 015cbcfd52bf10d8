"""From decoded files to samples whose images are in the store."""

import hashlib
import statistics
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from app.core.packs import MAX_PACKED_BYTES, Pack, PackWriter
from app.core.storage import BlobStore
from worker.files.errors import RefusedFileError
from worker.files.limits import Limits, ReadMeter
from worker.stages.ingest.decoding import DecodedFile, UnpackedFile
from worker.stages.ingest.images import longer_side
from worker.stages.ingest.layout import Candidate, Place, Source
from worker.stages.ingest.pixel_cache import PixelWriter

MIN_IMAGE_SIZE = 8
MAX_IMAGE_SIZE = 192
"""Side of the images that the largest network of the presets takes."""
_SIZE_STEP = 8
_NUM_PROBES = 64
_PREFIX_BYTES = 8


class Sample(NamedTuple):
    """One labelled image whose bytes are in the store."""

    path: str
    place: Place
    sha256: str
    num_bytes: int | None
    """None for a sample of an earlier version."""
    thumb_sha256: str | None
    thumb_num_bytes: int | None
    media_type: str
    width: int
    height: int


class BlobWriter:
    """Stores new blobs, small ones in packs; rows may refer to them after `finish`."""

    def __init__(self, store: BlobStore) -> None:
        """Read the names in the packs of the store; eight bytes of each are kept."""
        self._store = store
        self._folders = {folder.name for folder in store.root.glob("??")}
        """Folders of blobs that are single files; a look-up in the file system is slow."""
        self._known = _sorted_prefixes(store.packs.paths())
        self._pack: PackWriter | None = None
        self._in_pack: set[bytes] = set()
        """Digests of the blobs in the open pack."""
        self._has_files = False

    def put(self, data: bytes) -> str:
        """Store bytes; return their SHA-256, hexadecimal."""
        digest = hashlib.sha256(data).digest()
        sha256 = digest.hex()
        if len(data) > MAX_PACKED_BYTES:
            self._store.put(data)
            self._has_files = True
        elif not self._is_there(digest, sha256):
            self._append(digest, data)
        return sha256

    def finish(self) -> None:
        """Write all blobs durably to disk."""
        self._publish()
        if self._has_files:
            self._store.sync()

    def discard(self) -> None:
        """Remove what was not finished."""
        if self._pack is not None:
            self._pack.discard()

    def _is_there(self, digest: bytes, sha256: str) -> bool:
        return (
            digest in self._in_pack
            or (sha256[:2] in self._folders and self._store.path(sha256).exists())
            or (self._may_be_packed(digest) and self._store.packs.find(sha256) is not None)
        )

    def _may_be_packed(self, digest: bytes) -> bool:
        if not len(self._known):
            return False
        prefix = np.frombuffer(digest, np.uint64, 1)
        at = int(np.searchsorted(self._known, prefix)[0])
        return at < len(self._known) and bool(self._known[at] == prefix[0])

    def _append(self, digest: bytes, data: bytes) -> None:
        if self._pack is None:
            self._pack = PackWriter(self._store.packs.folder)
        self._pack.add(digest, data)
        self._in_pack.add(digest)
        if self._pack.is_full:
            self._publish()

    def _publish(self) -> None:
        """Publish the open pack and remember its blobs."""
        if self._pack is None:
            return
        path = self._pack.publish()
        self._known = np.union1d(self._known, _sorted_prefixes([path]))
        self._pack = None
        self._in_pack.clear()


@contextmanager
def writing_blobs(store: BlobStore) -> Iterator[BlobWriter]:
    """Give a writer; what is not finished at the end is removed."""
    writer = BlobWriter(store)
    try:
        yield writer
    finally:
        writer.discard()


def _sorted_prefixes(packs: list[Path]) -> npt.NDArray[np.uint64]:
    """Return the first bytes of the name of every packed blob, sorted."""
    prefixes = [np.empty(0, np.uint64)]
    for path in packs:
        with suppress(FileNotFoundError), closing(Pack(path)) as pack:
            heads = b"".join(digest[:_PREFIX_BYTES] for digest in pack.digests())
            prefixes.append(np.frombuffer(heads, np.uint64))
    return np.unique(np.concatenate(prefixes))


class SampleReader:
    """Reads candidates from the archive, and stores images and their decoded pixels."""

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
        """Number of bytes unpacked so far."""
        return self._meter.num_bytes

    def choose_image_size(self, candidates: Sequence[Candidate]) -> int:
        """Return the side of the cached images.

        It is the median of the longer sides of some images, rounded up.
        """
        step = max(1, len(candidates) // _NUM_PROBES)
        sides = islice(filter(None, map(self._longer_side, candidates[::step])), _NUM_PROBES)
        side = statistics.median_low(list(sides) or [MAX_IMAGE_SIZE])
        rounded_up = -(-side // _SIZE_STEP) * _SIZE_STEP
        return min(max(rounded_up, MIN_IMAGE_SIZE), MAX_IMAGE_SIZE)

    def unpack(self, candidates: Iterable[Candidate]) -> Iterator[UnpackedFile]:
        """Yield the content of the candidates."""
        for candidate in candidates:
            try:
                yield UnpackedFile(candidate, self._archive.read(candidate.member, self._meter))
            except RefusedFileError as error:
                yield UnpackedFile(candidate, b"", error)

    def store(self, file: DecodedFile, pixels: PixelWriter) -> Sample:
        """Store an image and append its pixels to the cache.

        Raises:
            RefusedFileError: The file was refused; nothing was stored.
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
        # A meter of its own: these files are read and counted again later.
        meter = ReadMeter(self._limits, archive_bytes=self._archive_bytes)
        try:
            data = self._archive.read(candidate.member, meter)
            return longer_side(data, max_pixels=self._limits.max_image_pixels)
        except RefusedFileError:
            return None
