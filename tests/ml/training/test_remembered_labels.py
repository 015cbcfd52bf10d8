"""A network remembers wrong labels of small data sets; they must be found all the same."""

import numpy as np
import torch
from sklearn.datasets import load_digits

import ml
from ml.noise import UniformOthersNoise, inject_noise
from tests.ml.support import run_training

NUM_IMAGES = 900
EPOCHS = 20
"""Fewer leave a network that has not remembered much yet."""


def test_flags_of_real_digits_are_right_and_nearly_all_and_say_so() -> None:
    digits = load_digits()
    intensity_NHW = np.rint(digits.images[:NUM_IMAGES] * (255 / 16)).astype(np.uint8)
    image_NHWC = np.repeat(intensity_NHW[..., None], 3, axis=3)
    true_N = digits.target[:NUM_IMAGES].astype(np.int64)
    noisy = inject_noise(true_N, UniformOthersNoise(0.2), np.random.default_rng(1), 10)
    config = ml.make_config("standard", epochs=EPOCHS, seed=0)
    state = run_training(image_NHWC, noisy.labels, config, num_classes=10)[-1]
    feature_ND = ml.trained_features(state, image_NHWC, device=torch.device("cpu"))

    findings = ml.score(state, noisy.labels, feature_ND)

    precision = noisy.is_wrong[findings.flagged].mean()
    recall = findings.flagged[noisy.is_wrong].mean()
    assert precision > 0.95
    assert recall > 0.95
    for (low, high), truth in (
        (findings.expected_precision_interval, precision),
        (findings.expected_recall_interval, recall),
        (findings.noise_rate_interval, noisy.is_wrong.mean()),
    ):
        assert low <= truth <= high
