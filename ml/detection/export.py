"""The delivered model: weights for a safetensors file and the card that explains them."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from ml.features import PRETRAINED_CLASSES
from ml.networks import build_network, put_head
from ml.training.checkpoint import TrainState, copied, load_pretrained, network_of


def export_model(
    state: TrainState, class_names: Sequence[str]
) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Return the averaged weights and a model card.

    Args:
        state: A training after its last epoch.
        class_names: Names of the classes, in the order of the labels.

    Returns:
        Weights by name, and a card, ready for JSON, with which plain PyTorch can rebuild the
        network: input is `(pixels / 255 - mean) / std`, RGB, of shape (B, 3, height, width).

    Raises:
        ValueError: When the number of names is not the number of classes.
    """
    if len(class_names) != state.data.num_classes:
        raise ValueError(f"{state.data.num_classes} class names needed, not {len(class_names)}")
    weights = dict(state.average) if not state.config.frozen else _whole_weights(state)
    card = {
        "architecture": state.config.architecture,
        "width": state.config.width,
        "num_classes": state.data.num_classes,
        "classes": list(class_names),
        "image_size": list(state.data.image_size),
        "mean": list(state.data.mean),
        "std": list(state.data.std),
        "method": state.config.method,
        "epochs": state.epochs_done,
        "seed": state.config.seed,
    }
    return weights, card


def _whole_weights(state: TrainState) -> dict[str, Tensor]:
    """Return the weights of the frozen network with the trained head in its place."""
    config, facts = state.config, state.data
    network = build_network(
        config.architecture, PRETRAINED_CLASSES, config.width, image_size=facts.image_size
    )
    load_pretrained(network, config.pretrained)
    put_head(network, network_of(state, state.average, torch.device("cpu")))
    return copied(network.state_dict())
