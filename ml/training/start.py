"""The state before the first epoch: weights as drawn or as given, and no history."""

from dataclasses import replace
from pathlib import Path
from typing import cast

import numpy as np
import torch
from torch import nn

from ml.networks import PACKAGED_INPUT, Standardise, load_packaged_weights, load_weights
from ml.seeding import seeded_weights
from ml.training.config import TrainConfig
from ml.training.data import STATISTICS_CHUNK, describe, describe_features
from ml.training.history import SampleHistory
from ml.training.learner import copied, trained_network
from ml.training.state import DataFacts, TrainState
from ml.types import FeatureArray, ImageArray, IntArray

PACKAGED = "packaged"
IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)
"""What weights in files are taken to be trained with: torchvision's are."""
MIN_DEVIATION = 1e-3
"""Of a feature: one that hardly varies says nothing, however much it is magnified."""


def data_facts(
    inputs: ImageArray | FeatureArray, labels_N: IntArray, num_classes: int, config: TrainConfig
) -> DataFacts:
    """Check a data set and return its facts, normalised as the weights to start from expect.

    Raises:
        ValueError: When inputs and labels do not fit together.
    """
    if config.frozen and config.input_size is not None:
        facts = describe_features(
            cast("FeatureArray", inputs), labels_N, num_classes, input_size=config.input_size
        )
    else:
        facts = describe(cast("ImageArray", inputs), labels_N, num_classes)
    if config.pretrained is None:
        return facts
    mean, std = expected_input(config.pretrained)
    return replace(facts, mean=mean, std=std)


def expected_input(pretrained: str) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Return mean and deviation, by channel, of the images that weights were trained with."""
    if pretrained == PACKAGED:
        return (PACKAGED_INPUT.mean,) * 3, (PACKAGED_INPUT.std,) * 3
    return IMAGENET_MEAN, IMAGENET_STD


def initial_state(
    config: TrainConfig, facts: DataFacts, inputs: ImageArray | FeatureArray | None = None
) -> TrainState:
    """Return the state before the first epoch; `inputs` are needed where they are features.

    Raises:
        ValueError: When the network cannot run on such images, or its weights cannot be had.
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
    """Replace a network's weights by those to start from, where there are any.

    Raises:
        ValueError: When they cannot be had, or do not fit.
    """
    if source == PACKAGED:
        load_packaged_weights(network)
    elif source is not None:
        load_weights(network, Path(source))


def _standardise(head: nn.Module, feature_NVD: FeatureArray) -> None:
    """Let a head subtract the features' mean and divide by their deviation, over all views."""
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
