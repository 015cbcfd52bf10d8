"""A data set on its way to a network: checked, described, gathered batch by batch.

Data may be larger than memory: checks read chunks, batches are gathered by index.
"""

from dataclasses import dataclass, replace
from typing import Literal, Protocol, cast

import numpy as np
import torch
from torch import Tensor

from ml.networks import PACKAGED_INPUT, to_input
from ml.training.augment import crop_and_flip
from ml.training.config import TrainConfig
from ml.types import FeatureArray, ImageArray, IntArray

PACKAGED = "packaged"
IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)
"""Normalisation of the images that weights in files were trained with, as torchvision's were."""
MIN_STD = 1e-3
STATISTICS_CHUNK = 4096
MIN_SAMPLES = 2
MIN_CLASSES = 2
MIN_FLIP_SIZE = 24


@dataclass(frozen=True, kw_only=True, slots=True)
class DataFacts:
    """Facts of a data set that a training needs to be resumed on it."""

    num_samples: int
    num_classes: int
    image_size: tuple[int, int]
    """Height and width in pixels."""
    mean: tuple[float, ...]
    """Per channel, of pixel values scaled to 0..1."""
    std: tuple[float, ...]
    num_features: int | None = None
    """Of a frozen network, D, where its features are trained on instead of images."""


def data_facts(
    inputs: ImageArray | FeatureArray, labels_N: IntArray, num_classes: int, config: TrainConfig
) -> DataFacts:
    """Check a data set and return its facts, normalised as the weights to start from expect.

    Raises:
        ValueError: When inputs and labels do not fit together.
    """
    if config.frozen and config.input_size is not None:
        facts = describe_features(
            cast("FeatureArray", inputs), labels_N, num_classes, input_size=config.input_size
        )
    else:
        facts = describe(cast("ImageArray", inputs), labels_N, num_classes)
    if config.pretrained is None:
        return facts
    mean, std = expected_input(config.pretrained)
    return replace(facts, mean=mean, std=std)


def expected_input(pretrained: str) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Return mean and deviation, by channel, of the images that weights were trained with."""
    if pretrained == PACKAGED:
        return (PACKAGED_INPUT.mean,) * 3, (PACKAGED_INPUT.std,) * 3
    return IMAGENET_MEAN, IMAGENET_STD


def describe(image_NHWC: ImageArray, label_N: IntArray, num_classes: int) -> DataFacts:
    """Check a data set and return its facts.

    Raises:
        ValueError: When images and labels do not fit together.
    """
    _check(image_NHWC, label_N, num_classes)
    mean_C, std_C = _channel_statistics(image_NHWC)
    return DataFacts(
        num_samples=len(label_N),
        num_classes=num_classes,
        image_size=(int(image_NHWC.shape[1]), int(image_NHWC.shape[2])),
        mean=tuple(mean_C.tolist()),
        std=tuple(std_C.tolist()),
    )


def describe_features(
    feature_NVD: FeatureArray, label_N: IntArray, num_classes: int, *, input_size: int
) -> DataFacts:
    """Check the features of a data set and return its facts, but for the images' normalisation.

    Args:
        feature_NVD: Features, float16, shape (N, views, D).
        label_N: Given labels, shape (N,).
        num_classes: Number of classes, C.
        input_size: Side in pixels of the images that the frozen network saw.

    Raises:
        ValueError: When features and labels do not fit together, or a feature is not finite.
    """
    if feature_NVD.ndim != 3 or feature_NVD.dtype != np.float16 or 0 in feature_NVD.shape[1:]:
        raise ValueError("features must be float16 of shape (N, views, D)")
    _check_labels(label_N, len(feature_NVD), num_classes)
    for begin in range(0, len(feature_NVD), STATISTICS_CHUNK):
        if not np.isfinite(feature_NVD[begin : begin + STATISTICS_CHUNK]).all():
            raise ValueError("features must be finite")
    return DataFacts(
        num_samples=len(label_N),
        num_classes=num_classes,
        image_size=(input_size, input_size),
        mean=(),
        std=(),
        num_features=int(feature_NVD.shape[2]),
    )


def _check(image_NHWC: ImageArray, label_N: IntArray, num_classes: int) -> None:
    if image_NHWC.ndim != 4 or image_NHWC.dtype != np.uint8 or image_NHWC.shape[3] != 3:
        raise ValueError("images must be uint8 of shape (N, H, W, 3)")
    _check_labels(label_N, len(image_NHWC), num_classes)


def _check_labels(label_N: IntArray, num_samples: int, num_classes: int) -> None:
    if label_N.shape != (num_samples,):
        raise ValueError("there must be one label for each image")
    if len(label_N) < MIN_SAMPLES or num_classes < MIN_CLASSES:
        raise ValueError("training needs at least two images and two classes")
    if label_N.min() < 0 or label_N.max() >= num_classes:
        raise ValueError(f"labels must be between 0 and {num_classes - 1}")


def _channel_statistics(image_NHWC: ImageArray) -> tuple[np.ndarray, np.ndarray]:
    """Return mean and deviation of each channel, from one pass in chunks; exact in integers."""
    total_C = np.zeros(3, dtype=np.int64)
    square_C = np.zeros(3, dtype=np.int64)
    for begin in range(0, len(image_NHWC), STATISTICS_CHUNK):
        value = image_NHWC[begin : begin + STATISTICS_CHUNK].astype(np.int64)
        total_C += value.sum(axis=(0, 1, 2))
        square_C += (value * value).sum(axis=(0, 1, 2))
    num_pixels = image_NHWC.size // 3
    mean_C = total_C / num_pixels
    variance_C = np.maximum(square_C / num_pixels - mean_C**2, 0.0)
    return mean_C / 255.0, np.maximum(np.sqrt(variance_C) / 255.0, MIN_STD)


class Source(Protocol):
    """N samples on their way to a device."""

    @property
    def device(self) -> torch.device:
        """Device of the inputs."""

    @property
    def num_views(self) -> int:
        """Fixed views of each sample; predictions are averaged over them."""

    def __len__(self) -> int:
        """Return the number of samples."""

    def view(self, index_B: IntArray, number: int = 0) -> Tensor:
        """Return a fixed view of samples; 0 is the sample as it is."""

    def augmented(self, index_B: IntArray, rng: np.random.Generator) -> Tensor:
        """Return augmented samples, by the draws of `rng`."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class ImageSource:
    """Images, and how to turn a batch of them into a network's input."""

    images: ImageArray
    """(N, H, W, 3)."""
    mean: Tensor
    """(3,), of pixel values scaled to 0..1."""
    std: Tensor
    device: torch.device
    pad: int
    """Largest shift in pixels."""
    flip: bool
    border: Literal["mirror", "black"]
    num_views: int = 1

    def __len__(self) -> int:
        """Return N."""
        return len(self.images)

    def view(self, index_B: IntArray, number: int = 0) -> Tensor:
        """Return images as they are, or mirrored where `number` is 1."""
        image_BCHW = to_input(self._gather(index_B), self.mean, self.std)
        return image_BCHW.flip(3) if number else image_BCHW

    def augmented(self, index_B: IntArray, rng: np.random.Generator) -> Tensor:
        """Return shifted and mirrored images."""
        augmented_BHWC = crop_and_flip(
            self._gather(index_B), rng, pad=self.pad, flip=self.flip, border=self.border
        )
        return to_input(augmented_BHWC, self.mean, self.std)

    def _gather(self, index_B: IntArray) -> Tensor:
        """Return raw images (B, H, W, C), uint8, on the device."""
        return torch.from_numpy(np.ascontiguousarray(self.images[index_B])).to(self.device)


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class FeatureSource:
    """Features of a frozen network; training picks one of their views at random."""

    features: FeatureArray
    """(N, views, D)."""
    device: torch.device

    @property
    def num_views(self) -> int:
        """Number of extracted views."""
        return int(self.features.shape[1])

    def __len__(self) -> int:
        """Return N."""
        return len(self.features)

    def view(self, index_B: IntArray, number: int = 0) -> Tensor:
        """Return one extracted view of each sample, (B, D)."""
        return self._gather(index_B, np.full(len(index_B), number))

    def augmented(self, index_B: IntArray, rng: np.random.Generator) -> Tensor:
        """Return a random view of each sample, (B, D)."""
        return self._gather(index_B, rng.integers(self.num_views, size=len(index_B)))

    def _gather(self, index_B: IntArray, view_B: IntArray) -> Tensor:
        feature_BD = np.asarray(self.features[index_B, view_B], dtype=np.float32)
        return torch.from_numpy(feature_BD).to(self.device)


def make_source(
    inputs: ImageArray | FeatureArray, facts: DataFacts, config: TrainConfig, device: torch.device
) -> Source:
    """Return the source of images, normalised by the facts, or of features."""
    if facts.num_features is not None:
        return FeatureSource(features=inputs, device=device)  # type: ignore[arg-type]  # `facts` tell which
    size = min(facts.image_size)
    return ImageSource(
        images=inputs,  # type: ignore[arg-type]  # `facts` tell which
        mean=torch.tensor(facts.mean, dtype=torch.float32, device=device),
        std=torch.tensor(facts.std, dtype=torch.float32, device=device),
        device=device,
        pad=int(size * config.max_shift),
        flip=size >= MIN_FLIP_SIZE if config.flip is None else config.flip,
        border=config.crop_border,
    )
