"""The consistent checkpoint between two epochs: everything a later epoch depends on."""

from dataclasses import asdict, dataclass
from typing import Any

from torch import Tensor

from ml.mixture import Mixture, mixture_from_dict
from ml.training.config import TrainConfig
from ml.training.history import SampleHistory
from ml.training.progress import EpochReport, Histogram, MixtureSummary

FORMAT = 4
WEIGHT_GROUPS = ("network", "average", "momentum")


@dataclass(frozen=True, kw_only=True, slots=True)
class DataFacts:
    """What a training must know of its data set to be resumed on it."""

    num_samples: int
    num_classes: int
    image_size: tuple[int, int]
    """Height and width in pixels."""
    mean: tuple[float, ...]
    """Per channel, of pixel values scaled to 0..1."""
    std: tuple[float, ...]
    num_features: int | None = None
    """Of a frozen network, D, where its features are trained on instead of images."""


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
    """Epoch that was begun anew with a tenth of the learning rate, since its loss was not finite;
    later epochs keep that rate."""
    slice_size: int | None = None
    """Samples that a pass takes at once, since memory did not suffice for a whole batch."""

    @property
    def mixture_losses(self) -> Tensor:
        """The losses that the noise model is of, (N,) float32, in nats."""
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
