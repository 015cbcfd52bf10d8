"""The ingest itself: table of contents, then one pass over the files, then the report."""

import warnings
from contextlib import AbstractContextManager, closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from app.core.storage import BlobStore
from worker.ingest.archive import open_archive
from worker.ingest.blob_writer import BlobWriter, writing_blobs
from worker.ingest.columns import Columns
from worker.ingest.decoder_pool import decoding
from worker.ingest.decoding import Decode, DecodedFile, Decoder
from worker.ingest.earlier import EarlierVersion, avoid_names
from worker.ingest.errors import RefusedFileError
from worker.ingest.layout import looks_like_image
from worker.ingest.limits import Limits, SafePoint, cpu_budget_seconds
from worker.ingest.members import Candidate, Selection, Source, reject
from worker.ingest.pixel_file import PixelFile
from worker.ingest.pixel_writer import PixelWriter, writing_pixels
from worker.ingest.progress import Emit, ProgressMeter
from worker.ingest.report import Outcome, write_report
from worker.ingest.same_pixels import same_pixels, torn_pairs
from worker.ingest.sample_file import SampleFile
from worker.ingest.samples import SampleReader
from worker.ingest.selection import sort_out


@dataclass(frozen=True, slots=True, kw_only=True)
class Spec:
    """What the supervisor asks for."""

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
    """What the user calls the archive."""
    earlier: EarlierVersion | None = None
    """The version that the archive adds to."""

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
    """Read the archive; on return all that it held is on disk, durably.

    Raises:
        IngestError: The upload cannot be taken.
        InterruptedIngestError: `safe_point` ended the work.
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
            reader = SampleReader(archive, blobs, spec.limits, archive_bytes=_num_bytes(spec))
            outcome = _read_all(
                archive, spec, reader, samples, safe_point=safe_point, progress=progress
            )
        write_report(spec.out_dir, _with_same_pixels(outcome, spec, blobs, safe_point))
        blobs.finish()


def _read_all(
    archive: Source,
    spec: Spec,
    reader: SampleReader,
    samples: SampleFile,
    *,
    safe_point: SafePoint,
    progress: ProgressMeter,
) -> Outcome:
    selection = _select(archive, spec)
    candidates = selection.candidates
    image_size = spec.wanted_image_size or reader.choose_image_size(candidates)
    class_folders = set[str]()
    num_before = _add_earlier(spec, samples)
    cache_file = _cache_file(spec, image_size)
    decoded = _decoding(spec, image_size, selection, safe_point)
    with writing_pixels(cache_file, image_size) as pixels, decoded as decode:
        _write_earlier(spec, pixels, safe_point)
        for num_done, file in enumerate(decode(reader.unpack(candidates)), start=1):
            safe_point()
            _note_class(file.candidate, class_folders)
            _store(file, reader, pixels, samples, selection)
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


def _num_bytes(spec: Spec) -> int:
    return spec.archive.stat().st_size


def _cache_file(spec: Spec, image_size: int) -> Path:
    return spec.out_dir / f"images-{image_size}.u8"


def _add_earlier(spec: Spec, samples: SampleFile) -> int:
    """Add the samples of the version that this upload adds to; return how many these are."""
    for sample in () if spec.earlier is None else spec.earlier.samples():
        samples.add(sample)
    return len(samples)


def _note_class(candidate: Candidate, found: set[str]) -> None:
    name = candidate.place.class_name
    if name not in found and looks_like_image(candidate.path):
        found.add(name)


def _store(
    file: DecodedFile,
    reader: SampleReader,
    pixels: PixelWriter,
    samples: SampleFile,
    selection: Selection,
) -> None:
    """Make a sample of a file, if it was not refused."""
    try:
        samples.add(reader.store(file, pixels))
    except RefusedFileError as error:
        selection.rejections.append(reject(file.candidate.path, error))


def _decoding(
    spec: Spec, image_size: int, selection: Selection, safe_point: SafePoint
) -> AbstractContextManager[Decode]:
    return decoding(
        Decoder(image_size=image_size, max_pixels=spec.limits.max_image_pixels),
        num_bytes=selection.num_bytes,
        cpu_seconds=cpu_budget_seconds(_num_bytes(spec)),
        safe_point=safe_point,
    )


def _select(archive: Source, spec: Spec) -> Selection:
    is_part = spec.earlier is not None
    selection = sort_out(archive, spec.limits, spec.columns, is_part=is_part)
    if spec.earlier is not None:
        avoid_names(selection, archive, spec.earlier)
    return selection


def _write_earlier(spec: Spec, pixels: PixelWriter, safe_point: SafePoint) -> None:
    if spec.earlier is not None:
        spec.earlier.write_cache(
            pixels, max_pixels=spec.limits.max_image_pixels, safe_point=safe_point
        )
