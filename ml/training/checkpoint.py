"""The checkpoint between two epochs: all that later epochs depend on, and its first state."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor, nn

from ml.device import MEMORY_FORMAT
from ml.mixture import Mixture, mixture_from_dict
from ml.networks import (
    Standardise,
    build_network,
    linear_head,
    load_packaged_weights,
    load_weights,
)
from ml.seeding import seeded_weights
from ml.training.config import TrainConfig
from ml.training.data import PACKAGED, STATISTICS_CHUNK, DataFacts
from ml.training.history import EpochReport, Histogram, MixtureSummary, SampleHistory
from ml.types import FeatureArray, ImageArray

FORMAT = 4
WEIGHT_GROUPS = ("network", "average", "momentum")
MIN_DEVIATION = 1e-3
"""Smallest deviation of a feature; it keeps noise of nearly constant features small."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class TrainState:
    """A training after `epochs_done` epochs. Its tensors are copies, on the CPU."""

    config: TrainConfig
    data: DataFacts
    epochs_done: int
    network: dict[str, Tensor]
    average: dict[str, Tensor]
    """Exponential moving average of the weights: the model that judges and is delivered."""
    momentum: dict[str, Tensor]
    history: SampleHistory
    mixture: Mixture | None
    """Fitted to `mixture_losses` after the last epoch."""
    reports: tuple[EpochReport, ...]
    rolled_back_in: int | None = None
    """Epoch that was repeated with a tenth of the learning rate, since its loss was not finite;
    later epochs keep the lower rate."""
    slice_size: int | None = None
    """Samples that a pass takes at once, since memory did not suffice for a whole batch."""

    @property
    def mixture_losses(self) -> Tensor:
        """The losses that the noise model is fitted to, (N,) float32, in nats."""
        averages = self.config.mixture_losses == "mean"
        return self.history.mean_loss if averages else self.history.last_loss

    def to_tensors(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """Return flat tensors and metadata that is ready for JSON.

        Returns:
            Tensors named `network.*`, `average.*`, `momentum.*` and `history.*`, and metadata
            with everything else.
        """
        tensors = {
            f"{group}.{name}": tensor
            for group in WEIGHT_GROUPS
            for name, tensor in getattr(self, group).items()
        }
        tensors |= {f"history.{name}": tensor for name, tensor in self.history.to_tensors().items()}
        metadata = {
            "format": FORMAT,
            "config": asdict(self.config),
            "data": asdict(self.data),
            "epochs_done": self.epochs_done,
            "mixture": self.mixture.to_dict() if self.mixture else None,
            "reports": [asdict(report) for report in self.reports],
            "rolled_back_in": self.rolled_back_in,
            "slice_size": self.slice_size,
        }
        return tensors, metadata

    @classmethod
    def from_tensors(cls, tensors: dict[str, Tensor], metadata: dict[str, Any]) -> "TrainState":
        """Rebuild a state from what `to_tensors` gave, also after a round trip through JSON.

        Raises:
            ValueError: When the state was written in another format.
        """
        if metadata.get("format") != FORMAT:
            raise ValueError(f"not a training state of format {FORMAT}")
        mixture = metadata["mixture"]
        return cls(
            config=TrainConfig(**metadata["config"]),
            data=DataFacts(**_with_tuples(metadata["data"])),
            epochs_done=metadata["epochs_done"],
            history=SampleHistory(**_group(tensors, "history")),
            mixture=mixture_from_dict(mixture) if mixture else None,
            reports=tuple(_report(report) for report in metadata["reports"]),
            network=_group(tensors, "network"),
            average=_group(tensors, "average"),
            momentum=_group(tensors, "momentum"),
            rolled_back_in=metadata["rolled_back_in"],
            slice_size=metadata["slice_size"],
        )


def _group(tensors: dict[str, Tensor], group: str) -> dict[str, Tensor]:
    prefix = f"{group}."
    return {
        name.removeprefix(prefix): tensor
        for name, tensor in tensors.items()
        if name.startswith(prefix)
    }


def _with_tuples(mapping: dict[str, Any]) -> dict[str, Any]:
    """Return the mapping with lists, which is what JSON makes of tuples, as tuples."""
    return {
        name: tuple(value) if isinstance(value, list) else value for name, value in mapping.items()
    }


def _report(mapping: dict[str, Any]) -> EpochReport:
    mixture = MixtureSummary(**_with_tuples(mapping["mixture"]))
    histogram = Histogram(**_with_tuples(mapping["loss_histogram"]))
    return EpochReport(**(mapping | {"mixture": mixture, "loss_histogram": histogram}))


def initial_state(
    config: TrainConfig, facts: DataFacts, inputs: ImageArray | FeatureArray | None = None
) -> TrainState:
    """Return the state before the first epoch; `inputs` are needed where they are features.

    Raises:
        ValueError: When the network cannot run on such images, or its weights cannot be loaded.
    """
    with seeded_weights(config.seed):
        network = trained_network(config, facts)
    if not config.frozen:
        load_pretrained(network, config.pretrained)
    elif inputs is not None:
        _standardise(network, cast("FeatureArray", inputs))
    return TrainState(
        config=config,
        data=facts,
        epochs_done=0,
        network=copied(network.state_dict()),
        average=copied(network.state_dict()),
        momentum={},
        history=SampleHistory.empty(facts.num_samples, facts.num_classes),
        mixture=None,
        reports=(),
    )


def load_pretrained(network: nn.Module, source: str | None) -> None:
    """Replace a network's weights by pretrained weights, where `source` names some.

    Raises:
        ValueError: When the weights cannot be loaded, or do not fit.
    """
    if source == PACKAGED:
        load_packaged_weights(network)
    elif source is not None:
        load_weights(network, Path(source))


def _standardise(head: nn.Module, feature_NVD: FeatureArray) -> None:
    """Set the mean and the deviation of a head to those of the features, over all views."""
    total_D = np.zeros(feature_NVD.shape[2])
    square_D = np.zeros_like(total_D)
    for begin in range(0, len(feature_NVD), STATISTICS_CHUNK):
        value_MVD = feature_NVD[begin : begin + STATISTICS_CHUNK].astype(np.float64)
        total_D += value_MVD.sum(axis=(0, 1))
        square_D += (value_MVD**2).sum(axis=(0, 1))
    num_rows = feature_NVD.shape[0] * feature_NVD.shape[1]
    mean_D = total_D / num_rows
    deviation_D = np.sqrt(np.maximum(square_D / num_rows - mean_D**2, 0.0))
    for module in head.modules():
        if isinstance(module, Standardise):
            module.mean.copy_(torch.from_numpy(mean_D))
            module.std.copy_(torch.from_numpy(np.maximum(deviation_D, MIN_DEVIATION)))


def trained_network(config: TrainConfig, facts: DataFacts) -> nn.Module:
    """Return a network with fresh weights to train, or the head of a frozen network."""
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
