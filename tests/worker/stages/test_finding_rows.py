"""From the arrays of a trainer to rows of the findings table."""

from pathlib import Path
from unittest.mock import ANY

import numpy as np
import pytest

import ml
from app.findings.query import Verdict, is_sure
from app.models import Finding, LossRank, PosteriorRank, SampleRank
from app.models.likely import MAX_STORED, unpack_likely
from ml.detection.kinds import KINDS
from worker.runtime.publisher import result_rows
from worker.stages.finding_rows import FINDINGS_FILE, VERIFIED, finding_rows

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
    [rows] = finding_rows(tmp_path, [7, 8, 9], 1)
    first, second, third = map(unpack_likely, rows["likely"])
    assert [label for label, _ in first] == LABELS[0][:MAX_STORED]
    assert np.allclose([share for _, share in first], PROBABILITIES[0][:MAX_STORED], atol=1e-5)
    assert second == []  # no place for such a label, and nothing after it either
    assert rows["likely"][1] is None
    assert rows["posterior"] == [None] * 3  # an audit need not store it
    assert [label for label, _ in third] == [1]  # below half a percent is left out


def test_the_api_and_the_detector_call_the_same_labels_sure() -> None:
    p = np.array([1.0, np.nextafter(0.9, 1.0), 0.9, 0.25, np.nan])
    assert [is_sure(value, flagged=True) for value in p.tolist()] == ml.surely_wrong(p).tolist()
    assert not is_sure(None, flagged=True)
    assert not is_sure(1.0, flagged=False)


def test_rows_come_by_rank_in_batches_that_each_are_one_transaction(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("worker.stages.finding_rows.ROWS_PER_TRANSACTION", 2)
    columns = {
        VERIFIED: np.array([False, False, True]), "rank": np.array([3, 1, 2]),
        "p_mislabeled": np.array([0.5, np.nan, 0.1]), "verdict": np.full(3, "hard"),
        "signal_margin": np.array([0.25, 0.5, 1.0]),
        "signal_posterior": np.array([0.0, 0.75, np.nan]),
    }  # fmt: skip
    np.savez(tmp_path / FINDINGS_FILE, **columns)  # type: ignore[arg-type]  # numpy types only its flag
    first, second = finding_rows(tmp_path, [7, 8, 9], 5)
    assert first == {
        "version_id": [5, 5], "sample_id": [8, 9], "rank": [1, 2], "p_mislabeled": [None, 0.1],
        "verdict": ["hard", "verified"], "posterior": [0.75, None],
        "signals": [{"margin": 0.5, "posterior": 0.75}, {"margin": 1.0, "posterior": ANY}],
        "likely": [None, None],
    }  # fmt: skip
    assert (second["sample_id"], second["verdict"]) == ([7], ["hard"])


def test_what_finds_a_finding_comes_in_its_own_order(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("worker.runtime.publisher.ROWS_PER_TRANSACTION", 2)
    findings: list[dict[str, list[float | None]]] = [
        {
            "version_id": [5, 5], "sample_id": [8, 9], "rank": [1, 2], "loss": [0.5, 0.25],
            "posterior": [None, 0.25],
        },
        {
            "version_id": [5], "sample_id": [7], "rank": [3], "loss": [0.25], "posterior": [0.25],
        },
    ]  # fmt: skip
    rows = list(result_rows(findings))
    assert rows[:2] == [(Finding, findings[0]), (Finding, findings[1])]
    assert rows[2:] == [
        (SampleRank, {"version_id": [5, 5], "sample_id": [7, 8], "rank": [3, 1]}),
        (SampleRank, {"version_id": [5], "sample_id": [9], "rank": [2]}),
        (LossRank, {"version_id": [5, 5], "loss": [0.25, 0.25], "rank": [2, 3]}),
        (LossRank, {"version_id": [5], "loss": [0.5], "rank": [1]}),
        (
            PosteriorRank,
            {"version_id": [5, 5], "minus_posterior": [-0.25, -0.25], "rank": [2, 3]},
        ),
        (PosteriorRank, {"version_id": [5], "minus_posterior": [1.0], "rank": [1]}),
    ]
    assert not list(result_rows([]))


def test_kinds_of_samples_are_those_that_can_be_asked_for() -> None:
    assert {*Verdict} == {*KINDS, "verified"}
