import numpy as np
import pytest
from numpy.typing import NDArray

from ml.detection import signals
from ml.detection.neighbours import unit
from ml.detection.signals import leave_one_out_log_prob
from ml.types import IntArray

NUM_SAMPLES = 60


def features(seed: int = 0, noise: float = 1.0) -> tuple[NDArray[np.float32], IntArray]:
    rng = np.random.default_rng(seed)
    label_N = np.arange(NUM_SAMPLES) % 3
    feature_ND = 3.0 * np.eye(3, 8)[label_N] + noise * rng.normal(size=(NUM_SAMPLES, 8))
    return feature_ND.astype(np.float32), label_N


def test_each_sample_is_scored_by_the_regression_on_all_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(signals, "RIDGES", np.array([1.0]))
    feature_ND, label_N = features()
    found = leave_one_out_log_prob(feature_ND, label_N, num_classes=3)
    unit_ND = unit(feature_ND, feature_ND.mean(axis=0)).astype(np.float64)
    unit_ND -= unit_ND.mean(axis=0)
    target_NC = np.eye(3)[label_N]
    score_NC = np.empty((NUM_SAMPLES, 3))
    for left_out in range(NUM_SAMPLES):
        kept = np.delete(np.arange(NUM_SAMPLES), left_out)
        x, t = unit_ND[kept], target_NC[kept]
        centred = x - x.mean(axis=0)
        weight = np.linalg.solve(centred.T @ centred + np.eye(8), centred.T @ (t - t.mean(axis=0)))
        score_NC[left_out] = t.mean(axis=0) + (unit_ND[left_out] - x.mean(axis=0)) @ weight
    differences = score_NC - score_NC[:, :1]
    log_odds = found - found[:, :1]
    scale = (log_odds * differences).sum() / (differences**2).sum()
    np.testing.assert_allclose(log_odds, scale * differences, atol=0.02 * np.abs(log_odds).max())


def test_a_wrong_label_is_contradicted_also_where_there_are_more_features_than_samples() -> None:
    rng = np.random.default_rng(1)
    label_N = np.arange(NUM_SAMPLES) % 3
    feature_ND = 4.0 * np.eye(3, 200)[label_N] + 0.3 * rng.normal(size=(NUM_SAMPLES, 200))
    given_N = label_N.copy()
    given_N[:5] = (given_N[:5] + 1) % 3
    found = leave_one_out_log_prob(feature_ND.astype(np.float16), given_N, num_classes=3)
    np.testing.assert_array_equal(found.argmax(axis=1), label_N)


def test_rows_are_log_probabilities() -> None:
    feature_ND, label_N = features(noise=3.0)
    found = leave_one_out_log_prob(feature_ND, label_N, num_classes=4)
    np.testing.assert_allclose(np.exp(found).sum(axis=1), 1.0)
