"""Predictions with given labels and the truth for `benchmarks.detection.sets` (N samples)."""

from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import softmax
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold, cross_val_predict

from ml.noise import Noise, UniformOthersNoise, inject_noise
from ml.types import BoolArray, FloatArray, IntArray

SETS = {
    "real_aggre_eff": "aggregate",
    "oof_human9_resnet18": "aggregate",
    "real_worst_eff": "worst",
    "real_roman_eff": "roman",
    "real_roman_r18": "roman",
    "real_roman_swin": "roman",
    "real_verified_mnist": "verified",
    "real_verified_20news": "verified",
    "oof_classdep20_resnet18": "injected",
    "oof_classdep20_resnet50": "injected",
    "oof_sparse40_resnet50": "injected",
}
"""Group of each set: whose labels are wrong, and by whom."""
CLEAN = "right labels"
MAX_FOLDS = 5
_LARGEST_PIXEL = 16.0


class Case(NamedTuple):
    """Predictions for samples whose labels are known to be wrong or right."""

    name: str
    group: str
    prob: NDArray[np.floating]
    """Shape (N, C)."""
    given: IntArray
    is_wrong: BoolArray
    is_checked: BoolArray
    """Whose truth is known; of all others a label may be wrong, too."""


class Digits(NamedTuple):
    """Handwritten digits with labels of which some are wrong."""

    pixels: FloatArray
    """Shape (N, 64), 0 to 1."""
    given: IntArray
    is_wrong: BoolArray


def load_sets(folder: Path) -> Iterator[Case]:
    """Yield the public sets, and digits with right labels."""
    for name, group in SETS.items():
        yield _load(folder / f"{name}.npz", group)
    pixels, label = all_digits()
    right = np.zeros(len(label), dtype=np.bool_)
    yield Case("digits", CLEAN, out_of_fold(pixels, label), label, right, ~right)


def _load(file: Path, group: str) -> Case:
    with np.load(file) as arrays:
        prob_NC = arrays["pred_probs"].astype(np.float64)
        given_N = arrays["given_label"].astype(np.int64)
        is_wrong_N = arrays["is_wrong"] if "is_wrong" in arrays else arrays["true_label"] != given_N
        is_checked_N = arrays["is_checked"] if "is_checked" in arrays else np.ones_like(is_wrong_N)
    prob_NC /= prob_NC.sum(axis=1, keepdims=True)
    return Case(file.stem, group, prob_NC, given_N, is_wrong_N, is_checked_N)


@cache
def all_digits() -> tuple[FloatArray, IntArray]:
    """Return pixels and true classes of scikit-learn's 1,797 digits."""
    pixels, label = load_digits(return_X_y=True)
    return pixels / _LARGEST_PIXEL, label.astype(np.int64)


def draw_digits(size: int, num_classes: int, noise: Noise, rng: np.random.Generator) -> Digits:
    """Draw classes, as many digits of each, and wrong labels.

    Args:
        size: How many digits; classes differ by one at most.
        num_classes: How many of the ten.
        noise: What makes labels wrong.
        rng: Where all draws come from.
    """
    pixels, label = all_digits()
    sizes = [len(part) for part in np.array_split(np.arange(size), num_classes)]
    members = [
        rng.permutation(np.flatnonzero(label == one))[:num]
        for one, num in zip(rng.permutation(10)[:num_classes], sizes, strict=True)
    ]
    true_N = np.repeat(np.arange(num_classes), sizes)
    noisy = inject_noise(true_N, noise, rng, num_classes)
    return Digits(pixels[np.concatenate(members)], noisy.labels, noisy.is_wrong)


def out_of_fold(pixels: FloatArray, label: IntArray) -> FloatArray:
    """Return what logistic regressions predict that have not seen the sample, (N, C)."""
    num_folds = int(np.clip(np.bincount(label).min(), 2, MAX_FOLDS))
    folds = StratifiedKFold(num_folds, shuffle=True, random_state=0)
    model = LogisticRegression(max_iter=1000)
    found: FloatArray = cross_val_predict(model, pixels, label, cv=folds, method="predict_proba")
    return found


def simulate(num_samples: int, num_classes: int) -> Case:
    """Return the right predictions of a noisy view, and labels of which a tenth is wrong.

    What is seen of a sample is normal around its true class, distance 5; made row by row in
    float32, so that nothing beside the predictions takes memory.
    """
    rng = np.random.default_rng(0)
    distance = np.float32(5.0)
    true_N = rng.integers(0, num_classes, num_samples)
    prob_NC = rng.standard_normal((num_samples, num_classes), dtype=np.float32)
    for row_C, true in zip(prob_NC, true_N, strict=True):
        row_C[true] += distance
        row_C[:] = softmax(distance * row_C)
    noisy = inject_noise(true_N, UniformOthersNoise(0.1), rng, num_classes)
    every_N = np.ones(num_samples, dtype=np.bool_)
    return Case("simulated", "injected", prob_NC, noisy.labels, noisy.is_wrong, every_N)
