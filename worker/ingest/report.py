"""What the ingest leaves for the supervisor: samples, rejected files and a summary."""

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from operator import attrgetter
from pathlib import Path
from typing import Any

from worker.ingest.advice import tell_no_samples
from worker.ingest.classes import ClassTable
from worker.ingest.duplicates import (
    MAX_GROUPS,
    DuplicateGroup,
    duplicate_counts,
    duplicate_warnings,
    group_duplicates,
)
from worker.ingest.errors import FailureCode, IngestError
from worker.ingest.members import Rejection, Selection
from worker.ingest.sample_file import SampleFile

_MANY_REJECTED = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What one pass over an archive found."""

    selection: Selection
    """Its rejections are complete: by name and by content."""
    samples: SampleFile
    num_before: int
    """As many of them, the first, are those of the version that this one adds to."""
    class_folders: Collection[str]
    """Classes that a file named as an image lies in, whatever became of it."""
    image_size: int
    num_unpacked_bytes: int
    images_per_second: float
    near_pairs: Sequence[tuple[int, int]] = ()
    """Positions of samples that show the same picture in different files."""
    same_pairs: Sequence[tuple[int, int]] = ()
    """Those of them that have different labels and the very same pixels."""


def write_report(folder: Path, outcome: Outcome) -> None:
    """Write all three files.

    Raises:
        IngestError: There is nothing in it that could be audited; which files were rejected is
            written all the same.
    """
    rejections = sorted(outcome.selection.rejections, key=attrgetter("path", "code"))
    _write_lines(folder / "rejected.jsonl", map(asdict, rejections))
    _require_samples(outcome, rejections)
    classes = ClassTable(outcome.samples.counts())
    classes.require_enough()
    duplicates = group_duplicates(outcome.samples, outcome.near_pairs, outcome.same_pairs)
    notes = {position: note for group in duplicates for position, note in group.rows().items()}
    outcome.samples.write(folder / "samples.jsonl", classes.index, notes)
    summary = _summary(outcome, classes, duplicates)
    (folder / "summary.json").write_text(json.dumps(summary, indent=1))


def _require_samples(outcome: Outcome, rejections: Collection[Rejection]) -> None:
    if len(outcome.samples) > outcome.num_before:
        return
    if not rejections:
        raise IngestError(FailureCode.EMPTY_ARCHIVE, "The archive holds no files.")
    raise IngestError(FailureCode.NO_SAMPLES, tell_no_samples(rejections))


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
        "agreement": outcome.samples.agreement(),
        "duplicates": [group.as_json(outcome.samples.path) for group in duplicates[:MAX_GROUPS]],
        "image_size": outcome.image_size,
        "content_hash": outcome.samples.content_hash(),
        "warnings": [
            *outcome.selection.warnings,
            *classes.warnings(named=outcome.class_folders),
            *duplicate_warnings(duplicates),
            *_rejection_warnings(outcome),
        ],
        "images_per_second": round(outcome.images_per_second, 1),
        "num_unpacked_bytes": outcome.num_unpacked_bytes,
    }


def _rejection_warnings(outcome: Outcome) -> list[str]:
    rejected = len(outcome.selection.rejections)
    total = rejected + len(outcome.samples) - outcome.num_before
    if rejected <= _MANY_REJECTED * total:
        return []
    return [f"{rejected:,} of {total:,} files were not taken ({rejected / total:.0%})."]


def _write_lines(path: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    """Write all or nothing: the file is read even if this process fails later."""
    temporary = path.with_name(f".{path.name}.tmp")
    with temporary.open("w") as file:
        for row in rows:
            file.write(json.dumps(row) + "\n")
    temporary.replace(path)
