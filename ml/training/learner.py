"""What changes while training: network, averaged weights and optimizer, and their tensors."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ml.device import MEMORY_FORMAT
from ml.networks import build_network, linear_head
from ml.training.average import WeightAverage
from ml.training.config import TrainConfig
from ml.training.state import DataFacts, TrainState


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Learner:
    """The parts that change with every step."""

    network: nn.Module
    average: WeightAverage
    optimizer: torch.optim.SGD

    @classmethod
    def restore(cls, state: TrainState, device: torch.device) -> "Learner":
        """Return a learner on a device, exactly as it was when the state was taken."""
        config = state.config
        network = network_of(state, state.network, device)
        average = WeightAverage(network, decay=config.ema_decay)
        average.network.load_state_dict(state.average)
        optimizer = torch.optim.SGD(
            network.parameters(),
            lr=config.learning_rate,
            momentum=config.momentum,
            weight_decay=_weight_decay(config, state.data),
            nesterov=config.nesterov and config.momentum > 0.0,
        )
        for name, parameter in network.named_parameters():
            if name in state.momentum:
                # The buffer takes the parameter's memory layout, as the optimizer's own would.
                buffer = torch.empty_like(parameter).copy_(state.momentum[name]).detach()
                optimizer.state[parameter]["momentum_buffer"] = buffer
        return cls(network=network, average=average, optimizer=optimizer)

    def step(self, value: Tensor, *, rate: float, step: int) -> None:
        """Take one step down the gradient of a loss; `step` counts from 1 over all epochs."""
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        self.optimizer.zero_grad(set_to_none=True)
        torch.autograd.backward(value)
        self.optimizer.step()
        self.average.update(self.network, step=step)

    def weights(self) -> dict[str, dict[str, Tensor]]:
        """Return copies of all tensors, by the names of the state's weight groups."""
        return {
            "network": copied(self.network.state_dict()),
            "average": copied(self.average.network.state_dict()),
            "momentum": copied(self._momentum()),
        }

    def _momentum(self) -> dict[str, Tensor]:
        buffers = {
            name: self.optimizer.state[parameter].get("momentum_buffer")
            for name, parameter in self.network.named_parameters()
        }
        return {name: buffer for name, buffer in buffers.items() if buffer is not None}


def _weight_decay(config: TrainConfig, facts: DataFacts) -> float:
    if facts.num_features is None:
        return config.weight_decay
    return config.head_precision / facts.num_samples


def trained_network(config: TrainConfig, facts: DataFacts) -> nn.Module:
    """Return what is trained, with fresh weights: a whole network, or the head of a frozen one."""
    if facts.num_features is not None:
        return linear_head(facts.num_features, facts.num_classes)
    return build_network(
        config.architecture, facts.num_classes, config.width, image_size=facts.image_size
    )


def network_of(state: TrainState, weights: dict[str, Tensor], device: torch.device) -> nn.Module:
    """Return the state's network on a device with copies of the given weights."""
    # Built without storage: initial weights would cost draws of the global generator.
    with torch.device("meta"):
        network = trained_network(state.config, state.data)
    network.load_state_dict(copied(weights), assign=True)
    return network.requires_grad_().to(device).to(memory_format=MEMORY_FORMAT)


def copied(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return contiguous copies on the CPU, as a file would hold them."""
    return {
        name: tensor.detach().to("cpu", copy=True).contiguous() for name, tensor in tensors.items()
    }
