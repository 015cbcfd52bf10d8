"""What the ingest reports: progress, samples, rejected files and a summary."""

import json
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import chain, islice, zip_longest
from operator import attrgetter
from pathlib import Path
from typing import Any

from worker.files.errors import FailureCode, RejectCode, UploadError
from worker.files.names import listed
from worker.stages.ingest.duplicates import (
    MAX_GROUPS,
    DuplicateGroup,
    duplicate_counts,
    duplicate_warnings,
    group_duplicates,
)
from worker.stages.ingest.layout import TEST, TRAIN, Rejection, Selection
from worker.stages.ingest.sample_file import SampleFile

_MANY_REJECTED = 0.05
_MAX_REASONS = 3
_MAX_EXAMPLES = 5
_READ = "JPEG, PNG, WebP and BMP are read."
_WAYS_OUT = {
    RejectCode.NO_LABEL: "Put each class into a folder of its own, or add a table of labels with "
    "the columns path and label.",
    RejectCode.MISSING_FILE: "Paths in a table count from its folder, or from the top of the "
    "upload.",
    RejectCode.NESTED_ARCHIVE: "Unpack the archives inside it, and pack their files.",
    RejectCode.ENCRYPTED: "Pack the files without a password.",
    RejectCode.UNSUPPORTED_COMPRESSION: "Pack the files with Deflate, or without compression.",
    RejectCode.NOT_AN_IMAGE: _READ,
    RejectCode.UNSUPPORTED_FORMAT: _READ,
}
_MIN_CLASSES = 2
_MIN_TRAIN_SAMPLES = 2
Emit = Callable[[float, float], None]
"""Called with the fraction that is done and the images per second so far."""
_SECONDS_BETWEEN = 0.5


class ProgressMeter:
    """Counts images from the moment it is made."""

    def __init__(self, emit: Emit, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._emit = emit
        self._clock = clock
        self._started = clock()
        self._last = self._started

    def update(self, *, num_done: int, num_total: int, num_images: int) -> None:
        """Report the progress twice a second at most, and at the end."""
        now = self._clock()
        if now - self._last >= _SECONDS_BETWEEN or num_done == num_total:
            self._last = now
            self._emit(num_done / num_total, self.images_per_second(num_images))

    def images_per_second(self, num_images: int) -> float:
        """Return the mean speed since the start."""
        return num_images / max(self._clock() - self._started, 1e-9)


class ClassTable:
    """Class names in order, with their number of samples by split."""

    def __init__(self, counts: Mapping[tuple[str, str], int]) -> None:
        """Sort the numbers of samples by split and class name."""
        self.names = sorted({name for _, name in counts})
        self.index = {name: label for label, name in enumerate(self.names)}
        self.num_train = {name: counts.get((TRAIN, name), 0) for name in self.names}
        self.splits = {TRAIN: sum(self.num_train.values())}
        self.splits[TEST] = sum(counts.values()) - self.splits[TRAIN]

    def require_enough(self) -> None:
        """Require two classes with enough training samples.

        Raises:
            UploadError: There are fewer.
        """
        usable = [name for name in self.names if self.num_train[name] >= _MIN_TRAIN_SAMPLES]
        if len(usable) < _MIN_CLASSES:
            raise UploadError(
                FailureCode.TOO_FEW_CLASSES,
                f"An audit needs {_MIN_CLASSES} classes with at least {_MIN_TRAIN_SAMPLES} "
                f"training images each; the upload has {len(usable)} (classes found: "
                f"{listed(self.names) or 'none'}). Put each class into a folder of its own.",
            )

    def warnings(self, *, named: Collection[str]) -> list[str]:
        """Return warnings about classes; `named` are all class folders that were found."""
        rare = [name for name, n in self.num_train.items() if 0 < n < _MIN_TRAIN_SAMPLES]
        unseen = [name for name, n in self.num_train.items() if n == 0]
        empty = sorted(set(named) - set(self.names))
        spelled = Counter(name.casefold() for name in self.names)
        twins = [name for name in self.names if spelled[name.casefold()] > 1]
        findings = (
            (rare, "Classes with a single training image, too few to judge:"),
            (unseen, "Classes of the test split without any training image:"),
            (empty, "Class folders without a usable image, left out:"),
            (twins, "Class names that differ only in upper and lower case:"),
        )
        return [f"{text} {listed(names)}." for names, text in findings if names]


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What one pass over an archive found."""

    selection: Selection
    """Its rejections are complete: by name and by content."""
    samples: SampleFile
    num_before: int
    """Number of samples of the earlier version, which come first."""
    class_folders: Collection[str]
    """Classes that have a file named as an image, readable or not."""
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
        UploadError: The upload has nothing that could be audited; `rejected.jsonl` is
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
        raise UploadError(FailureCode.EMPTY_ARCHIVE, "The archive holds no files.")
    raise UploadError(FailureCode.NO_SAMPLES, tell_no_samples(rejections))


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
    """Write the whole file or none: the supervisor reads it even if this process fails later."""
    temporary = path.with_name(f".{path.name}.tmp")
    with temporary.open("w") as file:
        for row in rows:
            file.write(json.dumps(row) + "\n")
    temporary.replace(path)


def tell_no_samples(rejections: Collection[Rejection]) -> str:
    """Count the reasons, show some files, and say what helps against the commonest reason."""
    by_code = defaultdict[RejectCode, list[Rejection]](list)
    for rejection in rejections:
        by_code[rejection.code].append(rejection)
    groups = sorted(by_code.values(), key=len, reverse=True)
    counted = ", ".join(f"{len(group):,} {group[0].code}" for group in groups[:_MAX_REASONS])
    shown = ", ".join(
        f"'{rejection.path}' ({rejection.code})"
        for rejection in islice(_in_turn(groups), _MAX_EXAMPLES)
    )
    sentences = (
        f"The archive holds no labelled image that can be read: {counted}.",
        f"For example {shown}; the list of rejected files has the reason for each.",
        _WAYS_OUT.get(groups[0][0].code),
    )
    return " ".join(filter(None, sentences))


def _in_turn(groups: Collection[list[Rejection]]) -> Iterator[Rejection]:
    """Yield the first of each group, then the second of each, and so on."""
    return filter(None, chain.from_iterable(zip_longest(*groups)))
