"""Tables of labels: the delta, all samples as JSON lines, cleanlab's columns."""

import csv
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from worker.stages.export.job import ExportJob, Row

Cell = str | int | float | bool | None
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "\x00")
DELTA_COLUMNS = (
    "sample_id", "path", "split", "given_label", "label", "action", "reason", "label_source",
    "p_mislabeled", "decided_by", "decided_at", "comment",
)  # fmt: skip
CLEANLAB_COLUMNS = (
    "sample_id", "path", "given_label", "predicted_label", "is_label_issue", "label_score",
    "label_issue_score", "p_mislabeled", "suggested_label", "suggested_label_confidence_score",
    "action", "corrected_label",
)  # fmt: skip


def write_delta(job: ExportJob, target: Path) -> None:
    """Write what differs from the data set as given."""
    rows = (_delta(job, row) for row in job.rows_with_excluded() if row.changed or row.excluded)
    write_csv(target, DELTA_COLUMNS, rows)


def write_jsonl(job: ExportJob, target: Path) -> None:
    """Write one object for each sample."""
    with target.open("w", encoding="utf-8") as file:
        for row in job.rows():
            file.write(json.dumps(described(job, row), ensure_ascii=False) + "\n")


def write_cleanlab(job: ExportJob, target: Path) -> None:
    """Write the judged samples, with scores of both polarities.

    Of `label_score` 1 is good; of `label_issue_score` and `p_mislabeled` 1 is bad.
    """
    write_csv(target, CLEANLAB_COLUMNS, _cleanlab_rows(job))


def described(job: ExportJob, row: Row) -> dict[str, Any]:
    """Return all that is known of a sample, with class names."""
    return {
        "sample_id": row.sample_id,
        "path": row.path,
        "split": row.split,
        "label": job.classes[row.label],
        "label_source": row.label_source,
        "given_label": job.classes[row.given_label],
        "annotations": row.annotations,
        "agreement": row.agreement,
        "tied": row.tied,
        "excluded": row.excluded,
        "decision": row.decision,
        "decided_label": job.class_name(row.decided_label),
        "exclusion": row.exclusion,
        "decided_by": row.decided_by,
        "decided_at": row.decided_at,
        "decided_under": row.decided_under,
        "comment": row.comment,
        "p_mislabeled": row.p_mislabeled,
        "suggested_label": job.class_name(row.suggested_label),
        "suggested_confidence": row.suggested_confidence,
        "flagged": row.flagged,
        "sure": row.sure,
        "rank": row.rank,
        "verdict": row.verdict,
        "sha256": row.sha256,
        "media_type": row.media_type,
        "width": row.width,
        "height": row.height,
    }


def _delta(job: ExportJob, row: Row) -> dict[str, Cell]:
    action = "exclude" if row.excluded else "relabel"
    return {**described(job, row), "action": action, "reason": row.exclusion}


def _cleanlab_rows(job: ExportJob) -> Iterator[dict[str, Cell]]:
    for row in job.rows_with_excluded():
        if row.suggested_label is None:
            continue  # of the test split: nobody judged it
        p_mislabeled = row.p_mislabeled
        yield {
            "sample_id": row.sample_id,
            "path": row.path,
            "given_label": job.classes[row.given_label],
            "predicted_label": job.classes[row.suggested_label],
            "is_label_issue": row.flagged,
            "label_score": None if p_mislabeled is None else 1.0 - p_mislabeled,
            "label_issue_score": p_mislabeled,
            "p_mislabeled": p_mislabeled,
            "suggested_label": job.classes[row.suggested_label],
            "suggested_label_confidence_score": row.suggested_confidence,
            "action": "exclude" if row.excluded else None,
            "corrected_label": job.classes[row.label] if row.changed else None,
        }


def harmless(text: str) -> str:
    """Return a text such that no spreadsheet takes it for a formula (CWE-1236)."""
    return f"'{text}" if text.startswith(_FORMULA_STARTS) else text


def write_csv(target: Path, columns: Sequence[str], rows: Iterable[Mapping[str, Cell]]) -> None:
    """Write these columns of the rows; texts are made harmless, numbers stay numbers."""
    with target.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows([_written(row[name]) for name in columns] for row in rows)


def _written(value: Cell) -> Cell:
    match value:
        case bool():
            return "true" if value else "false"
        case str():
            return harmless(value)
        case _:
            return value
