"""The version that an upload adds to: its samples come first, and are not read again."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app.core.storage import BlobStore
from worker.ingest.annotators import Annotation
from worker.ingest.errors import RefusedFileError, RejectCode
from worker.ingest.images import decode_image
from worker.ingest.layout import Place
from worker.ingest.limits import SafePoint
from worker.ingest.members import RowArchive, Selection, Source, reject
from worker.ingest.names import twin_key
from worker.ingest.pixel_writer import PixelWriter
from worker.ingest.samples import Sample

_COPY_BYTES = 1024**2


@dataclass(frozen=True, slots=True)
class EarlierVersion:
    """All that an ingest needs to know of it."""

    number: int
    image_size: int
    samples_file: Path
    """One JSON object a line, by position."""
    cache: Path | None
    """Its decoded images, where they are still there."""
    blob_dir: Path
    """Its image files: read where the cache is gone."""

    @classmethod
    def from_json(cls, values: dict[str, Any] | None) -> "EarlierVersion | None":
        """Read the spec's `earlier`."""
        if values is None:
            return None
        cache = values["cache"]
        return cls(
            number=values["number"],
            image_size=values["image_size"],
            samples_file=Path(values["samples"]),
            cache=None if cache is None else Path(cache),
            blob_dir=Path(values["blob_dir"]),
        )

    def samples(self) -> Iterator[Sample]:
        """Yield them by position."""
        with self.samples_file.open(encoding="utf-8") as lines:
            for line in lines:
                yield _sample(json.loads(line))

    def same_pairs(self) -> Iterator[tuple[int, int]]:
        """Yield the positions of samples that are known to have the same pixels."""
        with self.samples_file.open(encoding="utf-8") as lines:
            for position, line in enumerate(lines):
                picture = json.loads(line)["picture"]
                if picture is not None and picture != position:
                    yield picture, position

    def write_cache(self, target: PixelWriter, *, max_pixels: int, safe_point: SafePoint) -> None:
        """Write their decoded images, in order."""
        if self.cache is not None:
            with self.cache.open("rb") as source:
                while chunk := source.read(_COPY_BYTES):
                    safe_point()
                    target.write(chunk)
            return
        blobs = BlobStore(self.blob_dir)
        for sample in self.samples():
            safe_point()
            data = blobs.load(sample.sha256)
            target.write(decode_image(data, image_size=self.image_size, max_pixels=max_pixels).row)


def avoid_names(selection: Selection, archive: Source, earlier: EarlierVersion) -> None:
    """Settle names that the earlier version has too.

    A file keeps its name, so the new one is refused. A row has none of its own: it gets another.
    """
    taken = {twin_key(sample.path) for sample in earlier.samples()}
    kept = []
    for candidate in selection.candidates:
        if twin_key(candidate.path) not in taken:
            kept.append(candidate)
        elif isinstance(archive, RowArchive):
            kept.append(candidate._replace(path=f"part-{earlier.number + 1}/{candidate.path}"))
        else:
            detail = "An earlier part of the data set has a file of this name."
            error = RefusedFileError(RejectCode.DUPLICATE_NAME, detail)
            selection.rejections.append(reject(candidate.path, error))
    selection.candidates = kept


def _sample(row: dict[str, Any]) -> Sample:
    return Sample(
        path=row["path"],
        place=Place(row["split"], row["class_name"], row["path"], _annotation(row)),
        sha256=row["sha256"],
        num_bytes=None,
        thumb_sha256=row["thumb_sha256"],
        thumb_num_bytes=None,
        media_type=row["media_type"],
        width=row["width"],
        height=row["height"],
    )


def _annotation(row: dict[str, Any]) -> Annotation | None:
    if row["annotations"] is None:
        return None
    return Annotation(row["annotations"], tied=row["tied"], agreement=row["agreement"])
