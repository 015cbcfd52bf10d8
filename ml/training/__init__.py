"""Noise-robust training: one loop for every method."""

from ml.training.checkpoint import TrainState
from ml.training.config import (
    LARGEST_TRAINED,
    PRESETS,
    Choice,
    TrainConfig,
    choose_preset,
    make_config,
)
from ml.training.history import BatchProgress, EpochReport
from ml.training.losses import loss
from ml.training.memory import is_out_of_memory
from ml.training.methods import METHODS
from ml.training.passes import Evaluation, evaluate
from ml.training.trainer import Diverged, NotEnoughMemory, train

__all__ = [
    "LARGEST_TRAINED",
    "METHODS",
    "PRESETS",
    "BatchProgress",
    "Choice",
    "Diverged",
    "EpochReport",
    "Evaluation",
    "NotEnoughMemory",
    "TrainConfig",
    "TrainState",
    "choose_preset",
    "evaluate",
    "is_out_of_memory",
    "loss",
    "make_config",
    "train",
]
