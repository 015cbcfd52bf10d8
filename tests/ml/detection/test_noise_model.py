"""When predictions of the true class are taken as they are."""

from typing import Any

import numpy as np
import pytest

from ml.detection import noise_model
from ml.detection.mixing import unmixed_as_labels_ask
from ml.detection.noise_model import fit_noise_model
from ml.types import FloatArray, IntArray

NUM_SAMPLES, NUM_CLASSES = 4000, 4


@pytest.fixture
def preferences(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Return a list that is told of each fit whether predictions as they are come first."""
    told: list[bool] = []

    def listening(*args: Any, prefer_raw: bool) -> FloatArray:
        told.append(prefer_raw)
        return unmixed_as_labels_ask(*args, prefer_raw=prefer_raw)

    monkeypatch.setattr(noise_model, "unmixed_as_labels_ask", listening)
    return told


def test_under_even_noise_whose_rate_is_told(preferences: list[bool]) -> None:
    log_prob_NC, true_N, rng = predictions()
    is_wrong_N = rng.random(NUM_SAMPLES) < 0.3
    label_N = np.where(is_wrong_N, (true_N + rng.integers(1, 4, NUM_SAMPLES)) % 4, true_N)
    fit_noise_model(log_prob_NC, label_N)
    assert preferences == [True]


def test_not_with_three_classes_which_tell_too_little(preferences: list[bool]) -> None:
    log_prob_NC, true_N, rng = predictions()
    kept_M = np.flatnonzero(true_N < 3)
    is_wrong_M = rng.random(len(kept_M)) < 0.3
    label_M = (true_N[kept_M] + is_wrong_M * rng.integers(1, 3, len(kept_M))) % 3
    fit_noise_model(log_prob_NC[kept_M, :3], label_M)
    assert preferences == [False]


def test_not_under_noise_of_pairs(preferences: list[bool]) -> None:
    log_prob_NC, true_N, rng = predictions()
    label_N = np.where(rng.random(NUM_SAMPLES) < 0.3, true_N ^ 1, true_N)
    fit_noise_model(log_prob_NC, label_N)
    assert preferences == [False]


def test_not_where_clear_images_show_no_noise(preferences: list[bool]) -> None:
    log_prob_NC, true_N, _ = predictions()
    fit_noise_model(log_prob_NC, true_N)
    assert preferences == [False]


def predictions() -> tuple[FloatArray, IntArray, np.random.Generator]:
    """Return log-probabilities, surer for some samples, and the true classes."""
    rng = np.random.default_rng(0)
    true_N = rng.integers(NUM_CLASSES, size=NUM_SAMPLES)
    sure_N1 = 8.0 * rng.random((NUM_SAMPLES, 1))
    logit_NC = rng.normal(size=(NUM_SAMPLES, NUM_CLASSES)) + sure_N1 * np.eye(NUM_CLASSES)[true_N]
    return logit_NC - np.logaddexp.reduce(logit_NC, axis=1, keepdims=True), true_N, rng
