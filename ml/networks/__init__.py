"""The networks: ours, torchvision's by name, and weights from files."""

from ml.networks.build import ARCHITECTURES, build_network, check_architecture
from ml.networks.inputs import to_input
from ml.networks.packaged import PACKAGED_INPUT, load_packaged_weights
from ml.networks.weights import load_weights

__all__ = [
    "ARCHITECTURES",
    "PACKAGED_INPUT",
    "build_network",
    "check_architecture",
    "load_packaged_weights",
    "load_weights",
    "to_input",
]
