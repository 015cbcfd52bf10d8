"""A training as most people write it: float32, a loader over tensors, random crops and flips."""

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional
from torch.utils.data import DataLoader, TensorDataset

import ml
from ml.types import FloatArray, ImageArray, IntArray

_PREDICTED_AT_ONCE = 256


class PlainLoop:
    """One training on the given labels as they are, with the network and step of a configuration.

    Augmentation is per batch, on tensors: cheaper than the transforms, image by image, that are
    usual.
    """

    def __init__(
        self, images: ImageArray, label_N: IntArray, config: ml.TrainConfig, *, num_classes: int
    ) -> None:
        scaled = images.astype(np.float32) / 255.0
        self._mean, self._std = scaled.mean((0, 1, 2)), scaled.std((0, 1, 2))
        self._config = config
        self._generator = torch.Generator().manual_seed(config.seed)
        self._pad = int(images.shape[1] * config.max_shift)
        data = TensorDataset(self._input(images), torch.from_numpy(label_N))
        self._loader = DataLoader(
            data, config.batch_size, shuffle=True, drop_last=True, generator=self._generator
        )
        self._network = ml.build_network(
            config.architecture, num_classes, config.width, image_size=images.shape[1:3]
        )

    def train(self) -> None:
        """Train all epochs, by SGD with one rise and fall of the learning rate."""
        config = self._config
        optimizer = torch.optim.SGD(
            self._network.parameters(), lr=config.learning_rate, momentum=config.momentum,
            nesterov=config.nesterov, weight_decay=config.weight_decay,
        )  # fmt: skip
        rate = torch.optim.lr_scheduler.OneCycleLR(
            optimizer, max_lr=config.learning_rate, total_steps=config.epochs * len(self._loader)
        )
        self._network.train()
        for _ in range(config.epochs):
            for image_BCHW, label_B in self._loader:
                optimizer.zero_grad()
                logits_BC = self._network(self._augmented(image_BCHW))
                torch.autograd.backward(functional.cross_entropy(logits_BC, label_B))
                optimizer.step()
                rate.step()

    def predict(self, images: ImageArray) -> FloatArray:
        """Return class probabilities, shape (N, C)."""
        self._network.eval()
        with torch.no_grad():
            chunks = [
                functional.softmax(self._network(chunk), dim=1)
                for (chunk,) in DataLoader(TensorDataset(self._input(images)), _PREDICTED_AT_ONCE)
            ]
        return np.asarray(torch.cat(chunks).double().numpy(), dtype=np.float64)

    def _input(self, images: ImageArray) -> Tensor:
        scaled = (images.astype(np.float32) / 255.0 - self._mean) / self._std
        return torch.from_numpy(np.ascontiguousarray(scaled.transpose(0, 3, 1, 2)))

    def _augmented(self, image_BCHW: Tensor) -> Tensor:
        """Return images, each shifted and mirrored by a draw of its own."""
        num_images, _, height, width = image_BCHW.shape
        is_mirrored_B = self._draw(2, num_images).bool()[:, None, None, None]
        image_BCHW = torch.where(is_mirrored_B, image_BCHW.flip(3), image_BCHW)
        padded = functional.pad(image_BCHW, (self._pad,) * 4, mode="reflect")
        row_BH = self._draw(2 * self._pad + 1, num_images)[:, None] + torch.arange(height)
        column_BW = self._draw(2 * self._pad + 1, num_images)[:, None] + torch.arange(width)
        number_B = torch.arange(num_images)[:, None, None]
        moved_BHWC = padded.permute(0, 2, 3, 1)[number_B, row_BH[:, :, None], column_BW[:, None]]
        return moved_BHWC.permute(0, 3, 1, 2).contiguous()

    def _draw(self, end: int, count: int) -> Tensor:
        return torch.randint(end, (count,), generator=self._generator)
