"""Accuracy of the averaged network on images it was not trained on."""

from collections.abc import Callable
from dataclasses import dataclass

import torch

from ml.device import deterministic
from ml.training.learner import network_of
from ml.training.sources import make_source
from ml.training.state import TrainState
from ml.training.tracking import predict
from ml.types import FeatureArray, ImageArray, IntArray


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
