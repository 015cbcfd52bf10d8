"""The state before the first epoch: weights as drawn or as given, and no history."""

from dataclasses import replace
from pathlib import Path

from torch import nn

from ml.networks import PACKAGED_INPUT, build_network, load_packaged_weights, load_weights
from ml.seeding import seeded_weights
from ml.training.config import TrainConfig
from ml.training.data import describe
from ml.training.history import SampleHistory
from ml.training.learner import copied
from ml.training.state import DataFacts, TrainState
from ml.types import ImageArray, IntArray

PACKAGED = "packaged"
IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)
"""What weights in files are taken to be trained with: torchvision's are."""


def data_facts(
    images_NHWC: ImageArray, labels_N: IntArray, num_classes: int, config: TrainConfig
) -> DataFacts:
    """Check a data set and return its facts, normalised as the weights to start from expect.

    Raises:
        ValueError: When images and labels do not fit together.
    """
    facts = describe(images_NHWC, labels_N, num_classes)
    if config.pretrained is None:
        return facts
    if config.pretrained == PACKAGED:
        return replace(facts, mean=(PACKAGED_INPUT.mean,) * 3, std=(PACKAGED_INPUT.std,) * 3)
    return replace(facts, mean=IMAGENET_MEAN, std=IMAGENET_STD)


def initial_state(config: TrainConfig, facts: DataFacts) -> TrainState:
    """Return the state before the first epoch.

    Raises:
        ValueError: When the network cannot run on such images, or its weights cannot be had.
    """
    with seeded_weights(config.seed):
        network = build_network(
            config.architecture, facts.num_classes, config.width, image_size=facts.image_size
        )
    _load_pretrained(network, config.pretrained)
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


def _load_pretrained(network: nn.Module, source: str | None) -> None:
    if source == PACKAGED:
        load_packaged_weights(network)
    elif source is not None:
        load_weights(network, Path(source))
