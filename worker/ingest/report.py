"""What the ingest leaves for the supervisor: samples, rejected files and a summary."""

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from operator import attrgetter
from pathlib import Path
from typing import Any

from worker.ingest.agreement import AgreementMeter
from worker.ingest.classes import ClassTable
from worker.ingest.duplicates import (
    MAX_GROUPS,
    DuplicateGroup,
    duplicate_counts,
    duplicate_warnings,
    group_duplicates,
)
from worker.ingest.errors import FailureCode, IngestError
from worker.ingest.layout import looks_like_image
from worker.ingest.members import Selection
from worker.ingest.samples import Sample

_MANY_REJECTED = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What one pass over an archive found."""

    selection: Selection
    """Its rejections are complete: by name and by content."""
    samples: Sequence[Sample]
    num_before: int
    """As many of them, the first, are those of the version that this one adds to."""
    image_size: int
    num_unpacked_bytes: int
    images_per_second: float
    near_pairs: Sequence[tuple[int, int]] = ()
    """Positions of samples that show the same picture in different files."""


def write_report(folder: Path, outcome: Outcome) -> None:
    """Write all three files.

    Raises:
        IngestError: There is nothing in it that could be audited.
    """
    _require_samples(outcome)
    classes = ClassTable(outcome.samples)
    classes.require_enough()
    duplicates = group_duplicates(outcome.samples, outcome.near_pairs)
    rejections = sorted(outcome.selection.rejections, key=attrgetter("path", "code"))
    notes = {position: note for group in duplicates for position, note in group.rows().items()}
    rows = (
        _row(sample, classes) | notes.get(position, {})
        for position, sample in enumerate(outcome.samples)
    )
    _write_lines(folder / "samples.jsonl", rows)
    _write_lines(folder / "rejected.jsonl", map(asdict, rejections))
    summary = _summary(outcome, classes, duplicates)
    (folder / "summary.json").write_text(json.dumps(summary, indent=1))


def content_hash(samples: Iterable[Sample]) -> str:
    """Return the identity of a data set: its labelled images, however they were packed."""
    lines = sorted(
        json.dumps(
            [s.place.split, s.place.class_name, s.place.file.rpartition("/")[2], s.sha256]
        ).encode()
        for s in samples
    )
    return hashlib.sha256(b"\n".join(lines)).hexdigest()


def _require_samples(outcome: Outcome) -> None:
    if len(outcome.samples) > outcome.num_before:
        return
    if not outcome.selection.rejections:
        raise IngestError(FailureCode.EMPTY_ARCHIVE, "The archive holds no files.")
    reasons = Counter(rejection.code.value for rejection in outcome.selection.rejections)
    counted = ", ".join(f"{count:,} {code}" for code, count in reasons.most_common(3))
    raise IngestError(
        FailureCode.NO_SAMPLES, f"The archive holds no labelled image that can be read: {counted}."
    )


def _row(sample: Sample, classes: ClassTable) -> dict[str, Any]:
    return {
        "path": sample.path,
        "split": sample.place.split,
        "label": classes.index[sample.place.class_name],
        "sha256": sample.sha256,
        "num_bytes": sample.num_bytes,
        "thumb_sha256": sample.thumb_sha256,
        "thumb_num_bytes": sample.thumb_num_bytes,
        "media_type": sample.media_type,
        "width": sample.width,
        "height": sample.height,
        **_said(sample),
    }


def _said(sample: Sample) -> dict[str, Any]:
    """Return what the annotators said: by class name, since not each is a class of the set."""
    annotation = sample.place.annotation
    if annotation is None:
        return {}
    return {
        "annotations": dict(annotation.votes),
        "agreement": annotation.agreement,
        "tied": annotation.tied,
    }


def _agreement(samples: Iterable[Sample]) -> dict[str, Any] | None:
    meter = AgreementMeter()
    for sample in samples:
        if sample.place.annotation is not None:
            meter.add(sample.place.annotation)
    return meter.report()


def _summary(
    outcome: Outcome, classes: ClassTable, duplicates: Sequence[DuplicateGroup]
) -> dict[str, Any]:
    return {
        "classes": classes.names,
        "splits": classes.splits,
        "num_samples": len(outcome.samples),
        "num_rejected": len(outcome.selection.rejections),
        "num_ignored": outcome.selection.num_ignored,
        **duplicate_counts(duplicates),
        "num_duplicate_groups": len(duplicates),
        "agreement": _agreement(outcome.samples),
        "duplicates": [group.as_json() for group in duplicates[:MAX_GROUPS]],
        "image_size": outcome.image_size,
        "content_hash": content_hash(outcome.samples),
        "warnings": [
            *outcome.selection.warnings,
            *classes.warnings(named=_class_folders(outcome.selection)),
            *duplicate_warnings(duplicates),
            *_rejection_warnings(outcome),
        ],
        "images_per_second": round(outcome.images_per_second, 1),
        "num_unpacked_bytes": outcome.num_unpacked_bytes,
    }


def _class_folders(selection: Selection) -> list[str]:
    return [c.place.class_name for c in selection.candidates if looks_like_image(c.path)]


def _rejection_warnings(outcome: Outcome) -> list[str]:
    rejected = len(outcome.selection.rejections)
    total = rejected + len(outcome.samples) - outcome.num_before
    if rejected <= _MANY_REJECTED * total:
        return []
    return [f"{rejected:,} of {total:,} files were not taken ({rejected / total:.0%})."]


def _write_lines(path: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    with path.open("w") as file:
        for row in rows:
            file.write(json.dumps(row) + "\n")
