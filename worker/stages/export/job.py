"""What is to be exported, and the rows that go out."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app.core.ids import format_sample_id
from app.core.storage import BlobStore
from app.exports.schemas import ExcludedChoice, ExportOptions, LabelChoice
from app.findings.query import is_sure
from app.models import CONFLICT, Decision

SAMPLES = "samples.jsonl"
LOG = "log.jsonl"
"""Files that the host leaves for the child."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One sample as it goes out; labels are indexes into the classes."""

    sample_id: str
    path: str
    split: str
    label: int
    label_source: str
    """`given`, `decision` or `suggestion`."""
    excluded: bool
    given_label: int
    sha256: str | None
    media_type: str | None
    width: int | None
    height: int | None
    annotations: dict[str, str] | None
    """Class name by annotator."""
    agreement: float | None
    tied: bool
    decision: str | None
    decided_label: int | None
    exclusion: str | None
    decided_by: str | None
    decided_at: str | None
    decided_under: str | None
    """The job whose results the reviewer saw."""
    comment: str | None
    p_mislabeled: float | None
    suggested_label: int | None
    suggested_confidence: float | None
    flagged: bool | None
    rank: int | None
    verdict: str | None

    @property
    def sure(self) -> bool | None:
        """Whether the given label is surely wrong; None where nobody judged it."""
        return None if self.flagged is None else is_sure(self.p_mislabeled, flagged=self.flagged)

    @property
    def changed(self) -> bool:
        """Whether the label that goes out is another than the given one."""
        return self.label != self.given_label


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportJob:
    """One export."""

    options: ExportOptions
    dataset: dict[str, Any]
    classes: list[str]
    stem: str
    blobs: BlobStore
    out_dir: Path
    on_progress: Callable[[float], None]

    @classmethod
    def from_json(cls, spec: dict[str, Any], on_progress: Callable[[float], None]) -> "ExportJob":
        """Read the spec file's content."""
        return cls(
            options=ExportOptions.model_validate(spec["options"]),
            dataset=spec["dataset"],
            classes=spec["dataset"]["classes"],
            stem=spec["stem"],
            blobs=BlobStore(Path(spec["blob_dir"])),
            out_dir=Path(spec["out_dir"]),
            on_progress=on_progress,
        )

    @property
    def has_images(self) -> bool:
        """Whether the data set is one of images, not of uploaded scores."""
        return bool(self.dataset["has_images"])

    def rows(self) -> Iterator[Row]:
        """Yield the samples that go out, in the order of the data set."""
        leave_out = self.options.excluded is ExcludedChoice.LEAVE_OUT
        return (row for row in self.rows_with_excluded() if not (row.excluded and leave_out))

    def rows_with_excluded(self) -> Iterator[Row]:
        """Yield the samples of the wanted split, excluded ones too, whatever the options say.

        Formats that tell what to do with each sample of the original need them.
        """
        num_samples = max(1, self.dataset["num_samples"])
        for number, raw in enumerate(_lines(self.out_dir / SAMPLES)):
            self.on_progress(min(1.0, number / num_samples))
            row = self._resolve(raw)
            if self.options.split in {None, row.split}:
                yield row

    def places(self) -> Iterator[tuple[str, str]]:
        """Yield (path, split) of all samples, whether they go out or not."""
        for raw in _lines(self.out_dir / SAMPLES):
            yield raw["path"], raw["split"]

    def log(self) -> Iterator[dict[str, Any]]:
        """Yield the changes that reviewers made."""
        yield from _lines(self.out_dir / LOG)

    def class_name(self, label: int | None) -> str | None:
        """Return the name of a class."""
        return None if label is None else self.classes[label]

    def image(self, row: Row) -> bytes:
        """Return a sample's image as it was uploaded."""
        if row.sha256 is None:
            raise ValueError(f"sample {row.sample_id} has no image")
        return self.blobs.load(row.sha256)

    def _resolve(self, raw: dict[str, Any]) -> Row:
        sample_id = format_sample_id(raw.pop("id"))
        label, source, excluded = self._label(raw)
        return Row(sample_id=sample_id, label=label, label_source=source, excluded=excluded, **raw)

    def _label(self, raw: dict[str, Any]) -> tuple[int, str, bool]:
        """Return (label, where it is from, whether the sample is excluded)."""
        given: int = raw["given_label"]
        choice = self.options.labels
        if choice is LabelChoice.GIVEN:
            return given, "given", False
        match raw["decision"]:
            case Decision.RELABEL:
                return raw["decided_label"], "decision", False
            case Decision.KEEP:
                return given, "decision", False
            case Decision.EXCLUDE:
                return given, "given", True
            # Both suggestions of a certain conflict would only swap the labels of one picture.
            case None if raw["verdict"] != CONFLICT and self._is_suspect(raw["p_mislabeled"]):
                return raw["suggested_label"], "suggestion", False
            case _:
                return given, "given", False

    def _is_suspect(self, p_mislabeled: float | None) -> bool:
        threshold = self.options.min_p
        return threshold is not None and p_mislabeled is not None and p_mislabeled >= threshold


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    with path.open(encoding="utf-8") as file:
        for line in file:
            yield json.loads(line)
