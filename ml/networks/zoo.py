"""The classification networks of torchvision, an optional package that is imported late."""

from collections.abc import Callable
from contextlib import nullcontext
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import torch
from torch import nn
from torch.overrides import TorchFunctionMode
from typing_extensions import override

from ml.networks.stems import ImageSize, is_small, keep_resolution

INSTALL_HINT = "pip install 'labelaudit[torchvision]'"
BATCH_NORM_MOMENTUM = 0.1
"""At least. MNASNet's 0.0003 would need 10,000 steps to forget its start."""
FIXED_SIZE = ("vit_", "maxvit_")
"""Beginnings of names whose weights depend on the size of the images."""


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
    """Try a forward pass that computes nothing but shapes."""
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
    """Return what some constructors need besides the number of classes."""
    if name in {"googlenet", "inception_v3"}:
        return {"aux_logits": False, "init_weights": True}
    if image_size is not None and name.startswith("vit_"):
        return {"image_size": image_size[0]}
    if image_size is not None and name.startswith("maxvit_"):
        return {"input_size": image_size}
    return {}


def _suit_short_trainings(network: nn.Module) -> None:
    """Switch off what draws from torch's global generator, and let batch statistics follow fast.

    A resumed training equals an uninterrupted one only if a forward pass draws nothing hidden.
    """
    stochastic_depth: Any = import_module("torchvision.ops").StochasticDepth
    for module in network.modules():
        if isinstance(module, nn.Dropout | stochastic_depth):
            module.p = 0.0
        elif isinstance(module, nn.BatchNorm2d) and module.momentum is not None:
            module.momentum = max(module.momentum, BATCH_NORM_MOMENTUM)


class _WidthsOnCpu(TorchFunctionMode):
    """Keeps on the CPU what RegNets compute their widths with, also while building on `meta`."""

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
