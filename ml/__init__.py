"""Finds wrong labels: noise-robust training, loss mixtures, detection. Arrays in, arrays out."""

from ml.delivered import (
    ONNX_HINT,
    DeliveredModel,
    describe_input,
    load_delivered,
    write_onnx,
    write_torchscript,
)
from ml.detection import (
    NOBODY,
    SIGNALS,
    Detection,
    Evaluation,
    Findings,
    Lookalikes,
    Pictures,
    build_report,
    class_curves,
    detect,
    evaluate,
    export_model,
    find_lookalikes,
    fitted_histogram,
    mark_conflicts,
    pin,
    score,
    summarise,
    surely_wrong,
    warn_of_report,
    worth_a_look,
)
from ml.device import useful_threads
from ml.features import NUM_VIEWS, extract_features, num_features, trained_features
from ml.losses import loss
from ml.memory import is_out_of_memory
from ml.methods import METHODS
from ml.mixture import Mixture, fit_mixture
from ml.networks import build_network, load_weights
from ml.noise import NoisyLabels, inject_noise
from ml.presets import LARGEST_TRAINED, PRESETS, Choice, choose_preset, make_config
from ml.resizing import resize_images
from ml.review import Calibration, estimate_remaining, recalibrate, review_curve
from ml.training import (
    BatchProgress,
    Diverged,
    EpochReport,
    NotEnoughMemory,
    TrainConfig,
    TrainState,
    train,
)

__all__ = [
    "LARGEST_TRAINED",
    "METHODS",
    "NOBODY",
    "NUM_VIEWS",
    "ONNX_HINT",
    "PRESETS",
    "SIGNALS",
    "BatchProgress",
    "Calibration",
    "Choice",
    "DeliveredModel",
    "Detection",
    "Diverged",
    "EpochReport",
    "Evaluation",
    "Findings",
    "Lookalikes",
    "Mixture",
    "NoisyLabels",
    "NotEnoughMemory",
    "Pictures",
    "TrainConfig",
    "TrainState",
    "build_network",
    "build_report",
    "choose_preset",
    "class_curves",
    "describe_input",
    "detect",
    "estimate_remaining",
    "evaluate",
    "export_model",
    "extract_features",
    "find_lookalikes",
    "fit_mixture",
    "fitted_histogram",
    "inject_noise",
    "is_out_of_memory",
    "load_delivered",
    "load_weights",
    "loss",
    "make_config",
    "mark_conflicts",
    "num_features",
    "pin",
    "recalibrate",
    "resize_images",
    "review_curve",
    "score",
    "summarise",
    "surely_wrong",
    "train",
    "trained_features",
    "useful_threads",
    "warn_of_report",
    "worth_a_look",
    "write_onnx",
    "write_torchscript",
]
