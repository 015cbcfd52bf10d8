"""Reductions over all positions. Unlike adaptive pooling's, their gradient is deterministic."""

from torch import Tensor, nn
from typing_extensions import override


class GlobalMax(nn.Module):
    """Maximum over all positions: (B, C, H, W) to (B, C)."""

    @override
    def forward(self, x: Tensor) -> Tensor:
        return x.amax(dim=(2, 3))


class GlobalMean(nn.Module):
    """Mean over all positions: (B, C, H, W) to (B, C)."""

    @override
    def forward(self, x: Tensor) -> Tensor:
        return x.mean(dim=(2, 3))
