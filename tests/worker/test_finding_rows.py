"""From the arrays of a trainer to rows of the findings table."""

from pathlib import Path

import numpy as np

from app.findings.query import Verdict
from app.models.likely import MAX_STORED, unpack_likely
from ml.scoring.kinds import KINDS
from worker.finding_rows import FINDINGS_FILE, VERIFIED, finding_rows

LABELS = [[3, 1, 2, 0, 4, 5, 6], [70_000, 3, 0, 0, 0, 0, 0], [1, 2, 0, 0, 0, 0, 0]]
PROBABILITIES = [
    [0.3, 0.2, 0.1, 0.1, 0.1, 0.1, 0.1],
    [0.9, 0.1, 0, 0, 0, 0, 0],
    [0.02, 0.004, 0, 0, 0, 0, 0],
]


def test_likely_classes_are_packed_as_they_are_unpacked(tmp_path: Path) -> None:
    columns = {
        VERIFIED: np.zeros(3, dtype=np.bool_), "rank": np.arange(1, 4),
        "p_mislabeled": np.array([0.5, np.nan, 0.1]), "verdict": np.full(3, "clean"),
        "likely_label": np.array(LABELS, dtype=np.int32),
        "likely_probability": np.array(PROBABILITIES, dtype=np.float32),
    }  # fmt: skip
    np.savez(tmp_path / FINDINGS_FILE, **columns)  # type: ignore[arg-type]  # numpy types only its flag
    rows = list(finding_rows(tmp_path, [7, 8, 9], 1))
    first, second, third = (unpack_likely(row["likely"]) for row in rows)
    assert [label for label, _ in first] == LABELS[0][:MAX_STORED]
    assert np.allclose([share for _, share in first], PROBABILITIES[0][:MAX_STORED], atol=1e-5)
    assert second == []  # no place for such a label, and nothing after it either
    assert rows[1]["likely"] is None
    assert [label for label, _ in third] == [1]  # below half a percent is left out


def test_kinds_of_samples_are_those_that_can_be_asked_for() -> None:
    assert {*Verdict} == {*KINDS, "verified"}
