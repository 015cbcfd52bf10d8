"""What a network is trained on: images at a size that suits it, or features of them."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

import ml
from worker.stages.train.data import Array, TrainingData
from worker.stages.train.resumable_array import Make

_CHUNK = 4096
OnExtracted = Callable[[int, int], None]


@dataclass(frozen=True, slots=True, eq=False)
class TrainingInputs:
    """Inputs by split, and what the scoring may know of the training samples beside them."""

    train: Array
    test: Array
    features: npt.NDArray[np.float16] | None
    """Of the training samples, (N, D), by a network that saw none of their labels."""


def prepare_inputs(
    data: TrainingData,
    config: ml.TrainConfig,
    device: torch.device,
    on_extracted: OnExtracted,
) -> TrainingInputs:
    """Return what to train on; features and smaller images are made once for a data set.

    Args:
        data: The data set.
        config: What is to be trained.
        device: Where features are computed.
        on_extracted: Called with the number of images done, and how many of them an earlier run
            did; may raise to stop.
    """
    if not config.frozen:
        images = _small_images(data)
        return TrainingInputs(data.train_rows(images), data.test_rows(images), None)
    features = data.cached_in_shards(
        f"features-{config.architecture}-{config.input_size}.f16",
        shape=(len(data.labels), ml.NUM_VIEWS, ml.num_features(config)),
        dtype=np.float16,
        make=_extraction(data, config, device, on_extracted),
    )
    train = data.train_rows(features)
    return TrainingInputs(train, data.test_rows(features), _mean_view(train))


def _extraction(
    data: TrainingData,
    config: ml.TrainConfig,
    device: torch.device,
    on_extracted: OnExtracted,
) -> Make:
    def extract(out: Array, start: int, on_rows: Callable[[int], None]) -> None:
        def on_batch(num_done: int) -> None:
            on_rows(num_done)  # first: the other may stop here
            on_extracted(num_done, start)

        ml.extract_features(
            data.images, config, device=device, out=out, on_batch=on_batch, start=start
        )

    return extract


def _small_images(data: TrainingData) -> Array:
    side = ml.LARGEST_TRAINED
    if max(data.image_size) <= side:
        return data.images
    return data.cached(
        f"images-{side}.u8",
        shape=(len(data.labels), side, side, 3),
        dtype=np.uint8,
        make=lambda out: ml.resize_images(data.images, out=out),
    )


def _mean_view(features: Array) -> npt.NDArray[np.float16]:
    mean = np.empty((features.shape[0], features.shape[2]), dtype=np.float16)
    for start in range(0, len(features), _CHUNK):
        rows = slice(start, start + _CHUNK)
        mean[rows] = features[rows].mean(axis=1, dtype=np.float32)
    return mean
