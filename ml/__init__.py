"""Finds wrong labels: noise-robust training, loss mixtures, scoring. Arrays in, arrays out."""

from ml.device import useful_threads
from ml.losses import loss
from ml.methods import METHODS
from ml.mixture import Mixture, fit_mixture
from ml.networks import build_network, load_weights
from ml.noise import NoisyLabels, inject_noise
from ml.presets import PRESETS, make_config
from ml.scoring import (
    Detection,
    Evaluation,
    Findings,
    build_report,
    detect,
    evaluate,
    export_model,
    score,
    summarise,
)
from ml.training import (
    BatchProgress,
    Diverged,
    EpochReport,
    TrainConfig,
    TrainState,
    train,
)

__all__ = [
    "METHODS",
    "PRESETS",
    "BatchProgress",
    "Detection",
    "Diverged",
    "EpochReport",
    "Evaluation",
    "Findings",
    "Mixture",
    "NoisyLabels",
    "TrainConfig",
    "TrainState",
    "build_network",
    "build_report",
    "detect",
    "evaluate",
    "export_model",
    "fit_mixture",
    "inject_noise",
    "load_weights",
    "loss",
    "make_config",
    "score",
    "summarise",
    "train",
    "useful_threads",
]
