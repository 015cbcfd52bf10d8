"""The networks: ours, torchvision's by name, and weights from files."""

from ml.networks.build import ARCHITECTURES, build_network, check_architecture
from ml.networks.head import Standardise, cut_head, linear_head, put_head
from ml.networks.inputs import resize_images, resized, to_input
from ml.networks.weights import (
    INSTALL_HINT,
    PACKAGED_INPUT,
    PACKAGED_MODULE,
    load_packaged_weights,
    load_weights,
)

__all__ = [
    "ARCHITECTURES",
    "INSTALL_HINT",
    "PACKAGED_INPUT",
    "PACKAGED_MODULE",
    "Standardise",
    "build_network",
    "check_architecture",
    "cut_head",
    "linear_head",
    "load_packaged_weights",
    "load_weights",
    "put_head",
    "resize_images",
    "resized",
    "to_input",
]
