"""Exponential moving average of a network's weights and batch statistics."""

import copy

import torch
from torch import nn


class WeightAverage:
    """Follows a network; early steps weigh more, so the start is forgotten quickly."""

    def __init__(self, network: nn.Module, *, decay: float) -> None:
        self.network = copy.deepcopy(network).requires_grad_(requires_grad=False).eval()
        self._decay = decay

    @torch.no_grad()
    def update(self, network: nn.Module, *, step: int) -> None:
        """Move towards the network's weights after its `step`-th update (from 1)."""
        share = 1.0 - min(self._decay, step / (step + 9.0))
        followed = network.state_dict()
        for name, mine in self.network.state_dict().items():
            if mine.is_floating_point():
                mine.lerp_(followed[name], share)
            else:
                mine.copy_(followed[name])
