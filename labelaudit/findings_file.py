"""`findings.csv`: every training sample, worst first."""

import csv
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from labelaudit.client.files import replacing
from labelaudit.schemas import Finding

COLUMNS = (
    "sample_id",
    "path",
    "given_label",
    "suggested_label",
    "suggested_confidence",
    "p_mislabeled",
    "flagged",
    "rank",
)
# A cell that starts so is run as a formula when a spreadsheet opens the file (CWE-1236).
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "\0")


def write_findings(findings: Iterable[Finding], target: Path, *, num_top: int) -> list[Finding]:
    """Write all findings as they come and return the worst of them.

    Those are the first flagged ones; where none is flagged, the first that could be judged.
    """
    flagged: list[Finding] = []
    judged: list[Finding] = []
    with replacing(target) as temporary, _open_csv(temporary) as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        for finding in findings:
            writer.writerow(_row(finding))
            if finding["flagged"] and len(flagged) < num_top:
                flagged.append(finding)
            if finding["p_mislabeled"] is not None and len(judged) < num_top:
                judged.append(finding)
    return flagged or judged


def labels_of(finding: Finding) -> list[str]:
    """Return the given label and, where it is another one, the suggested label."""
    return list(dict.fromkeys((finding["given_label"], finding["suggested_label"])))


def read_flagged(source: Path) -> Iterator[tuple[str, bool]]:
    """Yield path and flag of each row."""
    with source.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            yield row["path"], row["flagged"] == "true"


def safe_cell(text: str) -> str:
    """Return the text such that no spreadsheet takes it for a formula."""
    return f"'{text}" if text.startswith(_FORMULA_STARTS) else text


@contextmanager
def _open_csv(path: Path) -> Iterator[TextIO]:
    with path.open("w", encoding="utf-8", newline="") as file:
        yield file


def _row(finding: Finding) -> list[object]:
    p_mislabeled = finding["p_mislabeled"]
    return [
        finding["sample_id"],
        safe_cell(finding["path"]),
        safe_cell(finding["given_label"]),
        safe_cell(finding["suggested_label"]),
        finding["suggested_confidence"],
        "" if p_mislabeled is None else p_mislabeled,
        str(finding["flagged"]).lower(),
        finding["rank"],
    ]
