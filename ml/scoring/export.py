"""The delivered model: weights for a safetensors file and the card that explains them."""

from collections.abc import Sequence
from typing import Any

from torch import Tensor

from ml.training.state import TrainState


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
    return dict(state.average), card
