"""Predictions with given and true labels for `benchmarks.detection_public`."""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
from scipy.special import softmax

from ml.noise import MatrixNoise, inject_noise
from ml.types import FloatArray, IntArray

SETS = (
    "oof_human9_resnet18",
    "oof_classdep20_resnet18",
    "oof_classdep20_resnet50",
    "oof_sparse40_resnet50",
)
_UNIFORM = (0.05, 0.1, 0.2, 0.4, 0.6, 0.8)
_ASYMMETRIC = (0.1, 0.2, 0.3, 0.4)
_RANDOM = (0.1, 0.2, 0.3)
_SIZES = (5000, 2000, 500)
_NUM_SYNTHETIC = ((5000, 3.0), (5000, 5.0), (20_000, 4.0))
_SYNTHETIC_RATES = (0.0, 0.2, 0.4)


class Case(NamedTuple):
    """Probabilities (N, C), given and true labels (N,)."""

    name: str
    prob: FloatArray
    given: IntArray
    true: IntArray


def make_cases(folder: Path) -> Iterator[Case]:
    """Yield every case, the same in every run."""
    rng = np.random.default_rng(0)
    whole = [_load(folder, name) for name in SETS]
    yield from whole
    for case in whole:
        yield case._replace(name=f"{case.name} clean", given=case.true)
        for title, matrix_CC in _matrices(rng):
            yield _inject(case, f"{case.name} {title}", matrix_CC, rng)
    for case in whole:
        for size in _SIZES:
            part = rng.permutation(len(case.given))[:size]
            yield Case(
                f"{case.name} {size} samples", case.prob[part], case.given[part], case.true[part]
            )
        yield _three_classes(case)
    for num_samples, distance in _NUM_SYNTHETIC:
        for rate in _SYNTHETIC_RATES:
            yield _synthetic(num_samples, distance, rate, rng)


def _load(folder: Path, name: str) -> Case:
    with np.load(folder / f"{name}.npz") as arrays:
        prob_NC = arrays["pred_probs"].astype(np.float64)
        given_N, true_N = (arrays[key].astype(np.int64) for key in ("given_label", "true_label"))
    return Case(name, prob_NC / prob_NC.sum(axis=1, keepdims=True), given_N, true_N)


def _matrices(rng: np.random.Generator) -> Iterator[tuple[str, FloatArray]]:
    """Yield noise matrices of ten classes; rates are shares that are wrong."""
    for rate in _UNIFORM:
        yield f"uniform {rate:.0%}", even_noise(10, rate)
    for rate in _ASYMMETRIC:
        next_CC = np.roll(np.eye(10), 1, axis=1)
        yield f"asymmetric {rate:.0%}", (1.0 - rate) * np.eye(10) + rate * next_CC
    for rate in _RANDOM:
        target_CC = rng.dirichlet(np.full(10, 0.5), size=10)
        np.fill_diagonal(target_CC, 0.0)
        target_CC /= target_CC.sum(axis=1, keepdims=True)
        rate_C1 = np.minimum(rate * rng.uniform(0.3, 1.7, size=(10, 1)), 0.6)
        yield f"random matrix {rate:.0%}", rate_C1 * target_CC + (1.0 - rate_C1) * np.eye(10)


def _inject(case: Case, name: str, matrix_CC: FloatArray, rng: np.random.Generator) -> Case:
    noisy = inject_noise(case.true, MatrixNoise(matrix_CC), rng, len(matrix_CC))
    return case._replace(name=name, given=noisy.labels)


def _three_classes(case: Case) -> Case:
    """Return the samples whose given and true label is one of the first three."""
    kept_N = (case.given < 3) & (case.true < 3)
    prob_MC = case.prob[kept_N, :3]
    prob_MC /= prob_MC.sum(axis=1, keepdims=True)
    return Case(f"{case.name} 3 classes", prob_MC, case.given[kept_N], case.true[kept_N])


def _synthetic(num_samples: int, distance: float, rate: float, rng: np.random.Generator) -> Case:
    """Return 100 classes whose logits are normal around the true class, softened a little."""
    true_N = rng.integers(0, 100, num_samples)
    logits_NC = rng.normal(size=(num_samples, 100)) + distance * np.eye(100)[true_N]
    clean = Case("", softmax(0.6 * logits_NC, axis=1), true_N, true_N)
    name = f"100 classes, {num_samples}, distance {distance:g}, uniform {rate:.0%}"
    return _inject(clean, name, even_noise(100, rate), rng)


def even_noise(num_classes: int, noise: float) -> FloatArray:
    """Return the matrix that moves a share of each class evenly to all other classes."""
    matrix_CC = np.full((num_classes, num_classes), noise / (num_classes - 1))
    np.fill_diagonal(matrix_CC, 1.0 - noise)
    return matrix_CC
