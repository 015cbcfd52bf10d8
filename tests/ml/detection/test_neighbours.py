"""Labels of the most similar samples, and the samples to show beside each."""

import numpy as np
import pytest

import ml
from ml.detection import neighbours
from ml.detection.neighbours import find_neighbours

EVERYBODY = np.ones(12, dtype=np.bool_)
LABEL_N = np.arange(12) % 3
ANGLE_N = np.linspace(0.0, 3.0, 12)
FEATURE_ND = np.stack([np.cos(ANGLE_N), np.sin(ANGLE_N)], axis=1).astype(np.float16)


def _two_groups(num_samples: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    label_N = np.arange(num_samples) % 2
    centre = np.where(label_N[:, None] == 1, 1.0, -1.0) * np.array([3.0, 0.0, 0.0, 0.0])
    return (100.0 + centre + rng.normal(0.0, 0.3, (num_samples, 4))).astype(np.float16), label_N


def test_a_common_offset_of_all_features_does_not_hide_who_is_near() -> None:
    feature_ND, label_N = _two_groups(200)
    share_NC = find_neighbours(feature_ND, label_N, num_classes=2).share
    assert share_NC.sum(axis=1) == pytest.approx(1.0)
    assert share_NC[np.arange(200), label_N].min() > 0.9


def test_a_sample_is_not_its_own_neighbour() -> None:
    feature_ND, label_N = _two_groups(80)
    wrong_N = label_N.copy()
    wrong_N[7] = 1 - wrong_N[7]
    share_NC = find_neighbours(feature_ND, wrong_N, num_classes=2).share
    assert share_NC[7, wrong_N[7]] < 0.1


def test_of_many_samples_some_stand_for_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(neighbours, "MAX_REFERENCES", 100)
    feature_ND, label_N = _two_groups(400)
    wrong_N = label_N.copy()
    wrong_N[::40] = 1 - wrong_N[::40]
    share_NC = find_neighbours(feature_ND, wrong_N, num_classes=2).share
    assert share_NC[np.arange(400), label_N].min() > 0.6


def _by_hand(row: int, wanted: int, num_nearest: int) -> list[int]:
    centred = FEATURE_ND.astype(np.float64) - FEATURE_ND.astype(np.float64).mean(axis=0)
    unit = centred / np.linalg.norm(centred, axis=1, keepdims=True)
    others = [i for i in np.flatnonzero(wanted == LABEL_N).tolist() if i != row]
    return sorted(others, key=lambda other: -float(unit[row] @ unit[other]))[:num_nearest]


@pytest.mark.parametrize("max_similarities", [2**24, 4])
def test_the_nearest_of_the_wanted_class_come_first_and_never_the_sample_itself(
    monkeypatch: pytest.MonkeyPatch, max_similarities: int
) -> None:
    monkeypatch.setattr(neighbours, "MAX_SIMILARITIES", max_similarities)
    wanted_N = (LABEL_N + np.arange(12) % 2) % 3
    found = ml.find_lookalikes(
        FEATURE_ND, wanted_N, label_N=LABEL_N, may_show_N=EVERYBODY, num_nearest=3
    )
    assert found.index.tolist() == [_by_hand(row, wanted_N[row], 3) for row in range(12)]
    assert (np.diff(found.similarity, axis=1) <= 0).all()


def test_where_there_are_too_few_the_rest_is_nobody() -> None:
    may_show_N = LABEL_N != 1
    may_show_N[[1, 4]] = True
    wanted_N = np.full(12, 1)
    wanted_N[0] = ml.NOBODY
    found = ml.find_lookalikes(FEATURE_ND, wanted_N, label_N=LABEL_N, may_show_N=may_show_N)
    assert found.index[0].tolist() == [ml.NOBODY] * 4
    assert found.index[1].tolist() == [4, ml.NOBODY, ml.NOBODY, ml.NOBODY]
    assert sorted(found.index[2].tolist()) == [ml.NOBODY, ml.NOBODY, 1, 4]
    assert np.array_equal(np.isnan(found.similarity), found.index == ml.NOBODY)


def test_of_a_large_class_some_stand_for_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(neighbours, "MAX_OF_CLASS", 2)
    found = ml.find_lookalikes(FEATURE_ND, LABEL_N, label_N=LABEL_N, may_show_N=EVERYBODY)
    assert set(LABEL_N[found.index[found.index != ml.NOBODY]]) == {0, 1, 2}
    assert len(set(found.index[LABEL_N == 0].ravel().tolist()) - {ml.NOBODY}) == 2


def test_the_curve_of_a_class_is_of_the_samples_that_count() -> None:
    loss_EN = np.array([[1, 2, 3, 9, 5], [0, 0, 0, 9, 7]], dtype=np.float16)
    label_N, counts_N = np.array([0, 0, 0, 0, 2]), np.array([True, True, True, False, True])
    curves = ml.class_curves(loss_EN, label_N, counts_N, num_classes=3)
    assert curves[0].tolist() == [[1.5, 0.0], [2.0, 0.0], [2.5, 0.0]]
    assert np.isnan(curves[1]).all()
    assert curves[2].tolist() == [[5.0, 7.0]] * 3
