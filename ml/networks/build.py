"""Networks by name: ours, and torchvision's, an optional package that is imported late."""

from collections.abc import Callable
from contextlib import nullcontext
from difflib import get_close_matches
from importlib import import_module
from importlib.util import find_spec
from typing import Any, TypeAlias

import torch
from torch import nn
from torch.overrides import TorchFunctionMode
from typing_extensions import override

from ml.networks.own import efficientnet_lite0, preact_resnet18, resnet9

TORCHVISION_HINT = "pip install 'labelaudit[torchvision]'"
BATCH_NORM_MOMENTUM = 0.1
"""Smallest momentum. With MNASNet's 0.0003 the start would count for 10,000 steps."""
FIXED_SIZE = ("vit_", "maxvit_")
"""Beginnings of names whose weights depend on the size of the images."""
ImageSize: TypeAlias = tuple[int, int]
"""Height and width in pixels."""
SMALL_BELOW = 96
"""A total stride of 32 leaves images below this fewer than 3x3 positions."""


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
    hint = "" if find_spec("torchvision") else f" (after {TORCHVISION_HINT})"
    raise ValueError(
        f"unknown architecture {architecture!r}; "
        + (f"similar: {', '.join(near)}; " if near else "")
        + f"known: {', '.join(ARCHITECTURES)} and torchvision's classification networks{hint}"
    )


def torchvision_names() -> list[str]:
    """Return the names of torchvision's classification networks; none where it is absent."""
    if find_spec("torchvision") is None:
        return []
    models = import_module("torchvision.models")
    names: list[str] = models.list_models(module=models)
    return names


def torchvision_network(name: str, num_classes: int, image_size: ImageSize | None) -> nn.Module:
    """Return one of torchvision's networks with fresh weights, its stem adapted to small images.

    Raises:
        ValueError: When it cannot run at `image_size`, or needs to know it and it is None.
    """
    if image_size is not None:
        _check_runs(name, num_classes, image_size)
    elif name.startswith(FIXED_SIZE):
        raise ValueError(f"{name} is made for one size of images, which must be given")
    return _fresh(name, num_classes, image_size)


def _check_runs(name: str, num_classes: int, image_size: ImageSize) -> None:
    """Try a forward pass that computes only shapes."""
    height, width = image_size
    try:
        with torch.device("meta"):
            _fresh(name, num_classes, image_size).eval()(torch.empty(2, 3, height, width))
    except (RuntimeError, AssertionError, ValueError) as error:
        raise ValueError(f"{name} cannot run on images of {height} x {width} pixels") from error


def _fresh(name: str, num_classes: int, image_size: ImageSize | None) -> nn.Module:
    get_model: Callable[..., nn.Module] = import_module("torchvision.models").get_model
    with _WidthsOnCpu() if name.startswith("regnet_") else nullcontext():
        network = get_model(
            name, weights=None, num_classes=num_classes, **_options(name, image_size)
        )
    if is_small(image_size):
        keep_resolution(network)
    _suit_short_trainings(network)
    return network


def _options(name: str, image_size: ImageSize | None) -> dict[str, Any]:
    """Return the arguments that a constructor needs besides the number of classes."""
    if name in {"googlenet", "inception_v3"}:
        return {"aux_logits": False, "init_weights": True}
    if image_size is not None and name.startswith("vit_"):
        return {"image_size": image_size[0]}
    if image_size is not None and name.startswith("maxvit_"):
        return {"input_size": image_size}
    return {}


def _suit_short_trainings(network: nn.Module) -> None:
    """Switch off draws from torch's global generator, and raise the momentum of batch statistics.

    A resumed training equals an uninterrupted one only if a forward pass draws nothing hidden.
    """
    stochastic_depth: Any = import_module("torchvision.ops").StochasticDepth
    for module in network.modules():
        if isinstance(module, nn.Dropout | stochastic_depth):
            module.p = 0.0
        elif isinstance(module, nn.BatchNorm2d) and module.momentum is not None:
            module.momentum = max(module.momentum, BATCH_NORM_MOMENTUM)


class _WidthsOnCpu(TorchFunctionMode):
    """Keeps the tensors that RegNets compute their widths with on the CPU, also on `meta`."""

    @override
    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        kwargs = kwargs or {}
        if func in {torch.arange, torch.tensor}:
            kwargs = {"device": "cpu", **kwargs}
        return func(*args, **kwargs)


def is_small(image_size: ImageSize | None) -> bool:
    """Return whether stems keep the full resolution; None stands for images up to 64 pixels."""
    return image_size is None or min(image_size) < SMALL_BELOW


def keep_resolution(network: nn.Module) -> None:
    """Make the stem of a network reduce images less.

    A stem convolution of stride 2 loses its stride, and the max pooling right after it goes;
    kernels above 3x3 (ResNets, DenseNets, GoogLeNet) become 3x3 with fresh weights. Patches of 4x4
    (ConvNeXt, Swin) become 2x2. Any other stem stays: AlexNet's, VGG's, the large patches of ViT.
    """
    layers = [
        (name, module)
        for name, module in network.named_modules()
        if isinstance(module, nn.Conv2d | nn.MaxPool2d)
    ]
    stem_name, stem = layers[0]
    if not isinstance(stem, nn.Conv2d):
        return
    if stem.kernel_size == stem.stride == (4, 4):
        network.set_submodule(stem_name, _fresh_like(stem, kernel=2, stride=2, padding=0))
    if stem.stride != (2, 2):
        return
    if max(stem.kernel_size) > 3:
        network.set_submodule(stem_name, _fresh_like(stem, kernel=3, stride=1, padding=1))
    stem.stride = (1, 1)
    next_name, following = layers[1]
    if isinstance(following, nn.MaxPool2d):
        network.set_submodule(next_name, nn.Identity())


def _fresh_like(stem: nn.Conv2d, *, kernel: int, stride: int, padding: int) -> nn.Conv2d:
    small = nn.Conv2d(stem.in_channels, stem.out_channels, kernel, stride=stride, padding=padding)
    nn.init.kaiming_normal_(small.weight, mode="fan_out", nonlinearity="relu")
    if stem.bias is None:
        small.register_parameter("bias", None)
    elif small.bias is not None:
        nn.init.zeros_(small.bias)
    return small
