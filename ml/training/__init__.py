"""Noise-robust training: one loop for every method."""

from ml.training.config import TrainConfig
from ml.training.errors import Diverged, NotEnoughMemory
from ml.training.loop import train
from ml.training.progress import BatchProgress, EpochReport
from ml.training.state import TrainState

__all__ = [
    "BatchProgress",
    "Diverged",
    "EpochReport",
    "NotEnoughMemory",
    "TrainConfig",
    "TrainState",
    "train",
]
