"""The published training loop, restated from its description: what ours is measured against.

As published (METHOD section 5): images are decoded, shifted, mirrored and normalised one by one by
a loader with one process of its own; a bootstrapping batch costs three forward passes, of which
two build a graph that is thrown away, in three regimes of batch statistics; losses are tracked on
augmented images, with a graph, and joined by concatenation batch by batch; all in float32, NCHW.
"""

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.data import DataLoader, Dataset
from torchvision import transforms
from typing_extensions import override

import ml
from ml.types import ImageArray, IntArray

_EDGE = 1e-4
_REGULARISER = 1.0


class AugmentedImages(Dataset[tuple[Tensor, int, int]]):
    """Images that are augmented one by one, each anew at every look."""

    def __init__(self, image_NHWC: ImageArray, label_N: IntArray) -> None:
        self._images, self._labels = image_NHWC, label_N
        mean, std = (image_NHWC / 255.0).mean((0, 1, 2)), (image_NHWC / 255.0).std((0, 1, 2))
        self._transform = transforms.Compose(
            [
                transforms.RandomCrop(image_NHWC.shape[1], padding=image_NHWC.shape[1] // 8),
                transforms.RandomHorizontalFlip(),
                transforms.ToTensor(),
                transforms.Normalize(mean, std),
            ]
        )

    def __len__(self) -> int:
        """Return N."""
        return len(self._labels)

    @override
    def __getitem__(self, index: int) -> tuple[Tensor, int, int]:
        """Return an image, its given label and its position."""
        image = self._transform(Image.fromarray(self._images[index]))
        return image, int(self._labels[index]), index


class PublishedLoop:
    """One training, epoch by epoch."""

    def __init__(
        self,
        network: nn.Module,
        images: AugmentedImages,
        *,
        batch_size: int = 128,
        learning_rate: float = 0.1,
        alpha: float = 32.0,
        seed: int = 0,
    ) -> None:
        self.network = network
        self.losses = torch.zeros(len(images))
        """Of the last tracking pass, by position."""
        self.mixture: ml.Mixture | None = None
        self._alpha = alpha
        self._rng = np.random.default_rng(seed)
        order = torch.Generator().manual_seed(seed)
        self._loader = DataLoader(images, batch_size, shuffle=True, num_workers=1, generator=order)
        self._optimizer = torch.optim.SGD(
            network.parameters(), lr=learning_rate, momentum=0.9, weight_decay=1e-4
        )

    def set_rate(self, learning_rate: float) -> None:
        """Set the learning rate from here on."""
        for group in self._optimizer.param_groups:
            group["lr"] = learning_rate

    def mixup_epoch(self) -> None:
        """Train one epoch on the given labels."""
        self.network.train()
        for image, label, _ in self._loader:
            self._optimizer.zero_grad()
            mixed, perm, delta = self._mixed(image)
            log_prob = functional.log_softmax(self.network(mixed), dim=1)
            value = delta * functional.nll_loss(log_prob, label)
            value = value + (1.0 - delta) * functional.nll_loss(log_prob, label[perm])
            torch.autograd.backward(value)
            self._optimizer.step()

    def bootstrapping_epoch(self) -> None:
        """Train one epoch of M-DYR-H: labels are corrected by the network and the mixture."""
        self.network.train()
        for image, label, _ in self._loader:
            self._optimizer.zero_grad()
            own = self.network(image).detach_().argmax(dim=1)
            w = self._live_weights(image, label)
            mixed, perm, delta = self._mixed(image)
            logits = self.network(mixed)
            value = _bootstrapping_loss(logits, label, own, w, perm, delta)
            torch.autograd.backward(value)
            self._optimizer.step()

    def track(self) -> None:
        """Look at every image once more, and fit the mixture to the losses."""
        self.network.eval()
        losses, positions = torch.zeros(0), torch.zeros(0, dtype=torch.int64)
        for image, label, position in self._loader:
            log_prob = functional.log_softmax(self.network(image), dim=1)
            loss = functional.nll_loss(log_prob, label, reduction="none")
            losses = torch.cat((losses, loss.detach_()))
            positions = torch.cat((positions, position))
        self.losses[positions] = losses
        self.mixture = ml.fit_mixture(self.losses.numpy(), mode="faithful")

    def posterior(self, losses: Tensor) -> Tensor:
        """Return the probability of the noisy component, as published: read from 100 cells."""
        if self.mixture is None:
            return torch.full_like(losses, 0.5)
        cells = self.mixture.lookup()
        place = np.clip(100 * self.mixture.normalise(losses.numpy()), 0, 99).astype(np.int64)
        return torch.from_numpy(cells[place]).float()

    def _live_weights(self, image: Tensor, label: Tensor) -> Tensor:
        self.network.eval()
        log_prob = functional.log_softmax(self.network(image), dim=1)
        loss = functional.nll_loss(log_prob, label, reduction="none").detach_()
        self.network.train()
        return self.posterior(loss).clamp(_EDGE, 1.0 - _EDGE)

    def _mixed(self, image: Tensor) -> tuple[Tensor, Tensor, float]:
        delta = float(self._rng.beta(self._alpha, self._alpha))
        perm = torch.from_numpy(self._rng.permutation(len(image)))
        return delta * image + (1.0 - delta) * image[perm], perm, delta


def _bootstrapping_loss(
    logits: Tensor, label: Tensor, own: Tensor, w: Tensor, perm: Tensor, delta: float
) -> Tensor:
    """Return M-DYR-H's loss, term by term (paper, equations 9 and 10)."""
    log_prob = functional.log_softmax(logits, dim=1)

    def towards(label_B: Tensor, own_B: Tensor, w_B: Tensor) -> Tensor:
        given = functional.nll_loss(log_prob, label_B, reduction="none")
        corrected = functional.nll_loss(log_prob, own_B, reduction="none")
        return ((1.0 - w_B) * given + w_B * corrected).mean()

    value = delta * towards(label, own, w)
    value = value + (1.0 - delta) * towards(label[perm], own[perm], w[perm])
    mean = functional.softmax(logits, dim=1).mean(dim=0)
    prior = torch.full_like(mean, 1.0 / len(mean))
    return value + _REGULARISER * (prior * torch.log(prior / mean)).sum()
