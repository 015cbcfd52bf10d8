"""Networks by name."""

from collections.abc import Callable
from difflib import get_close_matches
from importlib.util import find_spec

from torch import nn

from ml.networks.efficientnet_lite0 import efficientnet_lite0
from ml.networks.preact_resnet18 import preact_resnet18
from ml.networks.resnet9 import resnet9
from ml.networks.stems import ImageSize, is_small
from ml.networks.zoo import INSTALL_HINT, torchvision_names, torchvision_network

ARCHITECTURES: dict[str, Callable[[int, int, ImageSize | None], nn.Module]] = {
    "resnet9": lambda num_classes, width, _: resnet9(num_classes, width),
    "preact-resnet18": lambda num_classes, width, _: preact_resnet18(num_classes, width),
    "efficientnet-lite0": lambda num_classes, _, image_size: efficientnet_lite0(
        num_classes, stem_stride=1 if is_small(image_size) else 2
    ),
}
"""Our own networks, each made from the number of classes, the width and the size of the images."""


def build_network(
    architecture: str, num_classes: int, width: int, *, image_size: ImageSize | None = None
) -> nn.Module:
    """Return a network with fresh weights that maps images (B, 3, H, W) to logits (B, C).

    The weights are drawn from torch's global generator. No forward pass draws anything.

    Args:
        architecture: One of `ARCHITECTURES`, or a classification network of torchvision.
        num_classes: Number of classes, C.
        width: Channels of the first layer of `resnet9` and `preact-resnet18`; the others have
            widths of their own.
        image_size: Height and width of the images in pixels. Below 96 (the smaller of both) stems
            keep the full resolution. None stands for images of up to 64 pixels.

    Raises:
        ValueError: When there is no such architecture (the message names similar and known ones),
            or it cannot run at `image_size`.
    """
    check_architecture(architecture)
    if image_size is not None and min(image_size) < 1:
        raise ValueError(f"an image has at least one pixel, not {image_size[0]} x {image_size[1]}")
    if architecture in ARCHITECTURES:
        return ARCHITECTURES[architecture](num_classes, width, image_size)
    return torchvision_network(architecture, num_classes, image_size)


def check_architecture(architecture: str) -> None:
    """Raise `ValueError` unless the architecture is known; our own names import nothing."""
    if architecture in ARCHITECTURES:
        return
    names = torchvision_names()
    if architecture in names:
        return
    near = get_close_matches(architecture, [*ARCHITECTURES, *names])
    hint = "" if find_spec("torchvision") else f" (after {INSTALL_HINT})"
    raise ValueError(
        f"unknown architecture {architecture!r}; "
        + (f"similar: {', '.join(near)}; " if near else "")
        + f"known: {', '.join(ARCHITECTURES)} and torchvision's classification networks{hint}"
    )
