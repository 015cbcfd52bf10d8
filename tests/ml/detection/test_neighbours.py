import numpy as np
import pytest

from ml.detection import neighbours
from ml.detection.neighbours import find_neighbours


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
