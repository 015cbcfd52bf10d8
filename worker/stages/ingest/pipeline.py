"""The ingest itself: table of contents, then one pass over the files, then the report."""

import json
import warnings
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from app.core.storage import BlobStore
from worker.files.errors import RefusedFileError, RejectCode
from worker.files.limits import Limits, ReadMeter, SafePoint, cpu_budget_seconds
from worker.files.names import twin_key
from worker.stages.ingest.agreement import Annotation
from worker.stages.ingest.archive import open_archive
from worker.stages.ingest.columns import Columns
from worker.stages.ingest.decoding import Decoder, decoding
from worker.stages.ingest.images import decode_image
from worker.stages.ingest.layout import (
    Place,
    RowArchive,
    Selection,
    Source,
    looks_like_image,
    reject,
)
from worker.stages.ingest.pixel_cache import PixelFile, PixelWriter, writing_pixels
from worker.stages.ingest.report import Emit, Outcome, ProgressMeter, write_report
from worker.stages.ingest.same_pixels import same_pixels, torn_pairs
from worker.stages.ingest.sample_file import SampleFile
from worker.stages.ingest.samples import BlobWriter, Sample, SampleReader, writing_blobs
from worker.stages.ingest.selection import sort_out

_COPY_BYTES = 1024**2


@dataclass(frozen=True, slots=True)
class EarlierVersion:
    """The version of the data set that an upload adds to."""

    number: int
    image_size: int
    samples_file: Path
    """One JSON object a line, by position."""
    cache: Path | None
    """The cache of decoded images, if it still exists."""
    blob_dir: Path
    """The image files, read if the cache is gone."""

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Spec:
    """The options of one ingest, from the supervisor."""

    archive: Path
    out_dir: Path
    """Gets `images-<S>.u8`, `samples.jsonl`, `rejected.jsonl` and `summary.json`."""
    blob_dir: Path
    image_size: int | None
    """Side of the cached images; None: chosen from the data."""
    limits: Limits
    columns: Columns = field(default_factory=Columns)
    """Names that the user gave for the columns of tables of labels."""
    name: str = "upload"
    """Name of the archive in messages."""
    earlier: EarlierVersion | None = None
    """The version of the data set that the archive adds to."""

    @property
    def wanted_image_size(self) -> int | None:
        """The side that the cache must have."""
        return self.image_size if self.earlier is None else self.earlier.image_size

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> "Spec":
        """Read the spec file's content."""
        return cls(
            archive=Path(values["archive"]),
            out_dir=Path(values["out_dir"]),
            blob_dir=Path(values["blob_dir"]),
            image_size=values["image_size"],
            limits=Limits.from_spec(values["limits"]),
            columns=Columns.from_spec(values.get("columns", {})),
            name=values["name"],
            earlier=EarlierVersion.from_json(values.get("earlier")),
        )


def ingest(spec: Spec, *, safe_point: SafePoint, emit: Emit) -> None:
    """Read the archive; on return all samples are durably on disk.

    Raises:
        UploadError: The upload cannot be taken.
        InterruptedWorkError: `safe_point` ended the work.
    """
    progress = ProgressMeter(emit)
    spec.out_dir.mkdir(parents=True, exist_ok=True)
    archive_of = open_archive(
        spec.archive,
        spec.limits,
        spec.columns,
        name=spec.name,
        scratch=spec.out_dir,
        safe_point=safe_point,
    )
    blobs_of, samples_of = writing_blobs(BlobStore(spec.blob_dir)), SampleFile(spec.out_dir)
    with blobs_of as blobs, closing(samples_of) as samples:
        with warnings.catch_warnings(), archive_of as archive:
            warnings.simplefilter("ignore")  # Pillow's remarks on odd files; what matters raises
            outcome = _read_all(spec, archive, blobs, samples, safe_point, progress)
        write_report(spec.out_dir, _with_same_pixels(outcome, spec, blobs, safe_point))
        blobs.finish()


def _read_all(
    spec: Spec,
    archive: Source,
    blobs: BlobWriter,
    samples: SampleFile,
    safe_point: SafePoint,
    progress: ProgressMeter,
) -> Outcome:
    limits, earlier, archive_bytes = spec.limits, spec.earlier, spec.archive.stat().st_size
    selection = sort_out(archive, limits, spec.columns, is_part=earlier is not None)
    if earlier is not None:
        _avoid_names(selection, archive, earlier)
        for sample in earlier.samples():
            samples.add(sample)
    num_before = len(samples)
    # A bomb that states its size ends here; one that does not is stopped while it is read.
    ReadMeter(limits, archive_bytes=archive_bytes).add(selection.num_bytes)

    reader = SampleReader(archive, blobs, limits, archive_bytes=archive_bytes)
    candidates = selection.candidates
    image_size = spec.wanted_image_size or reader.choose_image_size(candidates)
    decode_of = decoding(
        Decoder(image_size=image_size, max_pixels=limits.max_image_pixels),
        num_bytes=selection.num_bytes,
        cpu_seconds=cpu_budget_seconds(archive_bytes),
        safe_point=safe_point,
    )
    class_folders = set[str]()
    pixels_of = writing_pixels(_cache_file(spec, image_size), image_size)
    with pixels_of as pixels, decode_of as decode:
        if earlier is not None:
            earlier.write_cache(pixels, max_pixels=limits.max_image_pixels, safe_point=safe_point)
        for num_done, file in enumerate(decode(reader.unpack(candidates)), start=1):
            safe_point()
            if looks_like_image(file.candidate.path):
                class_folders.add(file.candidate.place.class_name)
            try:
                samples.add(reader.store(file, pixels))
            except RefusedFileError as error:
                selection.rejections.append(reject(file.candidate.path, error))
            num_images = len(samples) - num_before
            progress.update(num_done=num_done, num_total=len(candidates), num_images=num_images)
    return Outcome(
        selection=selection,
        samples=samples,
        num_before=num_before,
        class_folders=class_folders,
        image_size=image_size,
        num_unpacked_bytes=reader.num_unpacked_bytes,
        images_per_second=progress.images_per_second(len(samples) - num_before),
        near_pairs=pixels.near_pairs(safe_point),
    )


def _with_same_pixels(
    outcome: Outcome, spec: Spec, blobs: BlobWriter, safe_point: SafePoint
) -> Outcome:
    """Compare the files of near copies with different labels, where there are any."""
    cache = PixelFile(_cache_file(spec, outcome.image_size), outcome.image_size)
    torn = torn_pairs(outcome.near_pairs, outcome.samples, cache)
    if torn:
        blobs.finish()  # so that they can be read
    # Files of an earlier version may be elsewhere: what was found of them then stays known.
    known = [] if spec.earlier is None else list(spec.earlier.same_pairs())
    found = same_pixels(torn, outcome.samples, BlobStore(spec.blob_dir), safe_point)
    return replace(outcome, same_pairs=[*known, *found])


def _cache_file(spec: Spec, image_size: int) -> Path:
    return spec.out_dir / f"images-{image_size}.u8"


def _avoid_names(selection: Selection, archive: Source, earlier: EarlierVersion) -> None:
    """Resolve names that the earlier version has already.

    A new file of such a name is refused. A row, whose name is made up, gets another name.
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
