"""Small data sets and runs for the tests of `ml`, and the golden data where it is at hand."""

from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

import ml
from ml.types import BoolArray, ImageArray, IntArray

SHARED_DATA = Path(__file__).parents[3] / "shared" / "data"


def golden(name: str) -> dict[str, Any]:
    """Return a golden file's arrays, or skip the test where the folder is absent."""
    path = SHARED_DATA / name
    if not path.is_file():
        pytest.skip(f"{name} is not beside this project")
    with np.load(path) as arrays:
        return dict(arrays)


def colour_images(
    num_samples: int, *, num_classes: int = 3, size: int = 8, seed: int = 0
) -> tuple[ImageArray, IntArray]:
    """Return noisy images of which each class has a bright band of its own, and their labels."""
    rng = np.random.default_rng(seed)
    label_N = rng.permutation(np.arange(num_samples) % num_classes)
    image_NHWC = rng.integers(0, 120, size=(num_samples, size, size, 3), dtype=np.uint8)
    for image_HWC, label in zip(image_NHWC, label_N, strict=True):
        image_HWC[:, :, label % 3] += np.uint8(100)
    return image_NHWC, label_N.astype(np.int64)


def with_wrong_labels(
    label_N: IntArray, *, num_wrong: int, num_classes: int, seed: int = 0
) -> IntArray:
    """Return the labels with some moved to another class."""
    rng = np.random.default_rng(seed)
    wrong = rng.choice(len(label_N), size=num_wrong, replace=False)
    given_N = label_N.copy()
    given_N[wrong] = (label_N[wrong] + rng.integers(1, num_classes, size=num_wrong)) % num_classes
    return given_N


def run_training(
    inputs: NDArray[Any],
    label_N: IntArray,
    config: ml.TrainConfig,
    *,
    state: ml.TrainState | None = None,
    num_classes: int = 3,
    verified_N: BoolArray | None = None,
) -> list[ml.TrainState]:
    """Train on the CPU and return the state after each epoch."""
    states: list[ml.TrainState] = []
    ml.train(
        inputs,
        label_N,
        num_classes=num_classes,
        config=config,
        device=torch.device("cpu"),
        state=state,
        verified_N=verified_N,
        on_epoch=lambda state, _: states.append(state),
        on_batch=lambda _: None,
    )
    return states


NOISY_CONFIG = ml.TrainConfig(epochs=6, width=4, batch_size=16, learning_rate=0.05)
NUM_WRONG = 24


@lru_cache(maxsize=1)
def noisy_run() -> tuple[ImageArray, IntArray, IntArray, ml.TrainState]:
    """Return 160 images, true labels, given labels and the training on them."""
    image_NHWC, label_N = colour_images(160)
    given_N = with_wrong_labels(label_N, num_wrong=NUM_WRONG, num_classes=3)
    return image_NHWC, label_N, given_N, run_training(image_NHWC, given_N, NOISY_CONFIG)[-1]
