"""Named sets of training options, as data."""

from typing import Any

from ml.methods import get_method
from ml.training.config import TrainConfig
from ml.training.schedule import nominal_schedule

PRESETS: dict[str, dict[str, Any]] = {
    "standard": {},
    "paper": {
        "architecture": "preact-resnet18",
        "width": 64,
        "schedule": "paper",
        "batch_size": 128,
        "nesterov": False,
        "weight_decay": 1e-4,
        "ema_decay": 0.0,
        "mixup_alpha": 32.0,
        "mixture_losses": "last",
        "flip": True,
        "crop_border": "black",
    },
}
"""What each preset sets apart from the defaults of `TrainConfig`.

`paper` is the published setting of CIFAR-10, CIFAR-100 and TinyImageNet alike. It keeps our
cures: a noise model that is robust, and bootstrap targets from one pass in evaluation mode.
`mixture_mode="faithful"` and `weights="live"` are what the published code does there.
"""


def make_config(preset: str = "standard", **options: Any) -> TrainConfig:
    """Return a preset's training options, with some replaced.

    Args:
        preset: Name of the preset.
        **options: Fields of `TrainConfig`; `epochs` is the schedule's own length if not given.

    Raises:
        ValueError: On an unknown preset or an option's invalid value.
        TypeError: On an unknown option.
    """
    if preset not in PRESETS:
        raise ValueError(f"unknown preset {preset!r}; known: {', '.join(PRESETS)}")
    fields = PRESETS[preset] | options
    if "epochs" not in fields:
        method = get_method(fields.get("method", "m-dyr-h"))
        fields["epochs"] = nominal_schedule(fields.get("schedule", "standard"), method).epochs
    return TrainConfig(**fields)
