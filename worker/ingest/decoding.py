"""Decoding the files of an upload, one after the other, in this process."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

from worker.files.errors import RefusedFileError
from worker.ingest.images import DecodedImage, decode_image
from worker.ingest.members import Candidate


class UnpackedFile(NamedTuple):
    """What came out of the archive for one candidate."""

    candidate: Candidate
    data: bytes
    refusal: RefusedFileError | None = None
    """Why there are no data."""


class DecodedFile(NamedTuple):
    """What became of it."""

    candidate: Candidate
    data: bytes
    outcome: DecodedImage | RefusedFileError


Decode: TypeAlias = Callable[[Iterable[UnpackedFile]], Iterator[DecodedFile]]
"""Tells what became of each file, in order."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Decoder:
    """What is wanted of all images of an upload."""

    image_size: int
    max_pixels: int

    @property
    def row_bytes(self) -> int:
        """Size of an image's row in the cache."""
        return self.image_size**2 * 3

    def decode(self, files: Iterable[UnpackedFile]) -> Iterator[DecodedFile]:
        """Tell what became of each file, in order."""
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
