"""Passes over all samples without gradients: batch statistics, predictions, accuracy."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from ml.device import autocast, deterministic
from ml.training.checkpoint import TrainState, network_of
from ml.training.data import Source, make_source
from ml.types import FeatureArray, ImageArray, IntArray

STATISTICS_BATCH = 256
MIN_IMAGES, MAX_IMAGES = 512, 2048
SHARE = 0.1
"""Share of the images that the statistics are measured on, between the two bounds: at most a tenth
of a long tracking pass."""
TRACKING_BATCH = 256


def measure_batch_statistics(
    network: nn.Module,
    source: Source,
    rng: np.random.Generator,
    *,
    batch_size: int = STATISTICS_BATCH,
) -> None:
    """Set every batch normalisation's mean and variance to those measured on the images.

    Averaged weights have no batch statistics of their own, and running statistics of a network that
    changes fast belong to earlier weights: on 240 images, tracked losses rose to 80 nats. So the
    statistics are measured, on 512 to 2,048 images without augmentation (Izmailov et al., UAI
    2018, section 3.2; Wu and Johnson 2021, section 3).

    Args:
        network: Left in eval mode. Without batch normalisation nothing is computed.
        source: The training images.
        rng: Chooses the images; data are often sorted by class.
        batch_size: Images in a forward pass.
    """
    layers = [layer for layer in network.modules() if isinstance(layer, _BatchNorm)]
    if not layers:
        return
    num_images = min(max(int(SHARE * len(source)), MIN_IMAGES), MAX_IMAGES, len(source))
    chosen_M = rng.permutation(len(source))[:num_images]
    batches = np.array_split(chosen_M, -(-len(chosen_M) // batch_size))
    with _measuring(network, layers), torch.no_grad(), autocast(source.device):
        for index_B in batches:
            network(source.view(np.sort(index_B)))


@contextmanager
def _measuring(network: nn.Module, layers: list[_BatchNorm]) -> Iterator[None]:
    """Reset the layers' statistics, and weigh every batch alike."""
    momenta = [layer.momentum for layer in layers]
    network.eval()
    for layer in layers:
        layer.reset_running_stats()
        layer.momentum = None
        layer.train()
    try:
        yield
    finally:
        for layer, momentum in zip(layers, momenta, strict=True):
            layer.momentum = momentum
        network.eval()


def num_tracking_batches(num_samples: int, batch_size: int = TRACKING_BATCH) -> int:
    """Return the number of batches of one pass."""
    return -(-num_samples // batch_size)


def predict(
    network: nn.Module,
    source: Source,
    *,
    on_batch: Callable[[], None] | None = None,
    batch_size: int = TRACKING_BATCH,
) -> Tensor:
    """Return class log-probabilities in nats, float32 on the CPU, shape (N, C).

    Probabilities are averaged over the source's views.
    """
    network.eval()
    chunks = []
    with torch.inference_mode(), autocast(source.device):
        for begin in range(0, len(source), batch_size):
            index_B = np.arange(begin, min(begin + batch_size, len(source)))
            chunks.append(_log_probabilities(network, source, index_B).cpu())
            if on_batch:
                on_batch()
    # Cloned outside inference mode: the result may meet tensors that need gradients later.
    return torch.cat(chunks).clone()


def _log_probabilities(network: nn.Module, source: Source, index_B: IntArray) -> Tensor:
    views = [
        network(source.view(index_B, number)).float().log_softmax(dim=1)
        for number in range(source.num_views)
    ]
    if len(views) == 1:
        return torch.as_tensor(views[0])
    return torch.stack(views).logsumexp(dim=0) - float(np.log(len(views)))


@dataclass(frozen=True, kw_only=True, slots=True)
class Evaluation:
    """Accuracy against given labels."""

    accuracy: float
    num_samples: int


def evaluate(
    state: TrainState,
    inputs: ImageArray | FeatureArray,
    labels_N: IntArray,
    *,
    device: torch.device,
    on_batch: Callable[[], None] | None = None,
) -> Evaluation:
    """Return the accuracy of the averaged network.

    Args:
        state: A training, usually after its last epoch.
        inputs: RGB images, uint8, shape (N, H, W, 3), N at least 1; features where the training
            was on features.
        labels_N: Given labels, shape (N,), integers in [0, C).
        device: Where to compute.
        on_batch: Called after each batch.

    Returns:
        Accuracy in [0, 1] and the number of samples it was measured on.

    Raises:
        ValueError: When there is nothing to evaluate.
    """
    if len(labels_N) == 0 or len(labels_N) != len(inputs):
        raise ValueError("evaluation needs at least one image, and one label for each")
    network = network_of(state, state.average, device)
    source = make_source(inputs, state.data, state.config, device)
    with deterministic(device):
        log_prob_NC = predict(network, source, on_batch=on_batch)
    correct_N = log_prob_NC.argmax(dim=1).numpy() == labels_N
    return Evaluation(accuracy=float(correct_N.mean()), num_samples=len(labels_N))
