"""Samples as a network's inputs: batches are gathered by index, so they may exceed memory."""

from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
import torch
from torch import Tensor

from ml.augment import crop_and_flip
from ml.networks import to_input
from ml.training.config import TrainConfig
from ml.training.state import DataFacts
from ml.types import FeatureArray, ImageArray, IntArray

MIN_FLIP_SIZE = 24


class Source(Protocol):
    """N samples on their way to a device."""

    @property
    def device(self) -> torch.device:
        """Where inputs are put."""

    @property
    def num_views(self) -> int:
        """Fixed views of each sample; predictions are averaged over them."""

    def __len__(self) -> int:
        """Return the number of samples."""

    def view(self, index_B: IntArray, number: int = 0) -> Tensor:
        """Return a fixed view of samples; 0 is the sample as it is."""

    def augmented(self, index_B: IntArray, rng: np.random.Generator) -> Tensor:
        """Return samples as they are trained on, by the draws of `rng`."""


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
        """How many views were extracted."""
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
    """Return the source of images, normalised as the facts say, or of features."""
    if facts.num_features is not None:
        return FeatureSource(features=inputs, device=device)  # type: ignore[arg-type]  # as the facts say
    size = min(facts.image_size)
    return ImageSource(
        images=inputs,  # type: ignore[arg-type]  # as the facts say
        mean=torch.tensor(facts.mean, dtype=torch.float32, device=device),
        std=torch.tensor(facts.std, dtype=torch.float32, device=device),
        device=device,
        pad=int(size * config.max_shift),
        flip=size >= MIN_FLIP_SIZE if config.flip is None else config.flip,
        border=config.crop_border,
    )
