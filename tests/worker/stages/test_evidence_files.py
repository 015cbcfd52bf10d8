from pathlib import Path

import numpy as np

import ml
from worker.stages.evidence_files import Judged, write_class_losses, write_evidence
from worker.stages.finding_rows import CLASS_LOSSES_FILE, EVIDENCE_FILE

GIVEN = np.array([0, 0, 1, 1, 0])
SUGGESTED = np.array([0, 1, 1, 1, 0])
FEATURES = np.array([[5, 0], [0, 5], [0, 6], [1, 6], [6, 1]], dtype=np.float16)
LOSSES = np.arange(10, dtype=np.float16).reshape(2, 5)


def _judged() -> Judged:
    """The second sample is suspected; of the data set's third place nothing is known."""
    ones = np.ones(5)
    findings = ml.Findings(
        p_mislabeled=ones, suggested_label=SUGGESTED, suggested_confidence=ones,
        flagged=GIVEN != SUGGESTED, sure=GIVEN != SUGGESTED, rank=np.arange(5), loss=ones,
        signals={},
        verdict=np.full(5, "clean"), noise_rate=0.2, noise_rate_interval=(0.0, 1.0),
        expected_precision=None, expected_recall=None, fallback=None,
    )  # fmt: skip
    return Judged(
        findings=findings,
        given_label=GIVEN,
        label=GIVEN,
        position=np.array([0, 1, 3, 4, 5]),
        num_positions=6,
    )


def test_has_a_record_for_each_place_of_the_data_set(tmp_path: Path) -> None:
    write_evidence(tmp_path, _judged(), losses=LOSSES, features=FEATURES)
    records = np.load(tmp_path / EVIDENCE_FILE, allow_pickle=False)
    assert records["label"].tolist() == [0, 0, -1, 1, 1, 0]
    assert records["losses"][4].tolist() == [3.0, 8.0]
    assert np.isnan(records["losses"][2]).all()
    # By their places in the data set; the suspected second one stands for nobody.
    assert records["like_given"][:, 0].tolist() == [5, 0, -1, 4, 3, 0]
    assert records["like_given"][:, 1].tolist() == [-1, 5, -1, -1, -1, -1]
    assert records["like_suggested"][1].tolist() == [3, 4, -1, -1]
    assert (records["like_suggested"][[0, 2, 3, 4, 5]] == -1).all()
    assert (records["like_suggested_similarity"][1, :2] > 0.8).all()


def test_without_features_nobody_is_alike(tmp_path: Path) -> None:
    write_evidence(tmp_path, _judged(), losses=LOSSES[:0], features=None)
    records = np.load(tmp_path / EVIDENCE_FILE, allow_pickle=False)
    assert records["losses"].shape == (6, 0)
    assert (records["like_given"] == -1).all()


def test_a_class_is_described_by_its_trusted_samples(tmp_path: Path) -> None:
    write_class_losses(tmp_path, _judged(), LOSSES, num_classes=3)
    records = np.load(tmp_path / CLASS_LOSSES_FILE, allow_pickle=False)
    assert records["median"][:2].tolist() == [[2.0, 7.0], [2.5, 7.5]]
    assert records["lower"][0].tolist() == [1.0, 6.0]
    assert np.isnan(records["upper"][2]).all()
