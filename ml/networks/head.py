"""The last linear layer apart from the rest of a network (B batch, D features, C classes)."""

import torch
from torch import Tensor, nn
from typing_extensions import override


class Standardise(nn.Module):
    """Subtract a mean and divide by a deviation, each of shape (D,); neither is trained."""

    mean: Tensor
    std: Tensor

    def __init__(self, num_features: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(num_features))
        self.register_buffer("std", torch.ones(num_features))

    @override
    def forward(self, x: Tensor) -> Tensor:
        return (x - self.mean) / self.std


class Head(nn.Sequential):
    """A head that computes in float32 under any autocast: rounded logits would tie in rank."""

    @override
    def forward(self, x: Tensor) -> Tensor:
        with torch.autocast(x.device.type, enabled=False):
            for module in self:
                x = module(x.float())
        return x


def linear_head(num_features: int, num_classes: int) -> Head:
    """Return a head on standardised features that starts by preferring no class."""
    linear = nn.Linear(num_features, num_classes)
    with torch.no_grad():
        nn.init.zeros_(linear.weight)
        nn.init.zeros_(linear.bias)
    return Head(Standardise(num_features), linear)


def cut_head(network: nn.Module) -> tuple[nn.Linear, int]:
    """Make a network return the input of its last linear layer; return the layer and D.

    Raises:
        ValueError: When the network has no linear layer.
    """
    name, layer = _last_linear(network)
    _replace(network, name, nn.Identity())
    return layer, layer.in_features


def put_head(network: nn.Module, head: nn.Module) -> None:
    """Replace a network's last linear layer by a trained `linear_head`, joined into one layer.

    Raises:
        ValueError: When the network has no linear layer, or one of other features.
    """
    name, layer = _last_linear(network)
    standardise, linear = head.children()
    if not isinstance(standardise, Standardise) or not isinstance(linear, nn.Linear):
        raise TypeError("not a head that `linear_head` made")
    if layer.in_features != linear.in_features:
        raise ValueError(f"a head for {linear.in_features} features, not {layer.in_features}")
    joined = nn.Linear(linear.in_features, linear.out_features)
    with torch.no_grad():
        joined.weight.copy_(linear.weight / standardise.std)
        joined.bias.copy_(linear.bias - joined.weight @ standardise.mean)
    _replace(network, name, joined)


def _last_linear(network: nn.Module) -> tuple[str, nn.Linear]:
    found = [(n, m) for n, m in network.named_modules() if isinstance(m, nn.Linear)]
    if not found:
        raise ValueError("a network without a linear layer has no head to cut off")
    return found[-1]


def _replace(network: nn.Module, name: str, module: nn.Module) -> None:
    parent, _, child = name.rpartition(".")
    setattr(network.get_submodule(parent), child, module)
