"""Access to images that may be larger than memory: batches are gathered by index."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ml.networks import to_input
from ml.training.state import DataFacts
from ml.types import ImageArray, IntArray

MIN_STD = 1e-3
STATISTICS_CHUNK = 4096
MIN_SAMPLES = 2
MIN_CLASSES = 2


@dataclass(frozen=True, slots=True, eq=False)
class ImageSource:
    """Images and how to turn a batch of them into a network's input on a device."""

    images: ImageArray
    """(N, H, W, 3)."""
    mean: Tensor
    """(3,), of pixel values scaled to 0..1."""
    std: Tensor
    device: torch.device

    @classmethod
    def of(cls, image_NHWC: ImageArray, facts: DataFacts, device: torch.device) -> "ImageSource":
        """Return the source of a data set's images, normalised as its facts say."""
        mean_C = torch.tensor(facts.mean, dtype=torch.float32, device=device)
        std_C = torch.tensor(facts.std, dtype=torch.float32, device=device)
        return cls(image_NHWC, mean_C, std_C, device)

    def gather(self, index_B: IntArray) -> Tensor:
        """Return raw images (B, H, W, C), uint8, on the device."""
        return torch.from_numpy(np.ascontiguousarray(self.images[index_B])).to(self.device)

    def to_input(self, image_BHWC: Tensor) -> Tensor:
        """Return normalised images (B, C, H, W), float32."""
        return to_input(image_BHWC, self.mean, self.std)


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


def _check(image_NHWC: ImageArray, label_N: IntArray, num_classes: int) -> None:
    if image_NHWC.ndim != 4 or image_NHWC.dtype != np.uint8 or image_NHWC.shape[3] != 3:
        raise ValueError("images must be uint8 of shape (N, H, W, 3)")
    if label_N.shape != image_NHWC.shape[:1]:
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
