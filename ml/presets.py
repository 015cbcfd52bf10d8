"""Named sets of training options, as data."""

from importlib.util import find_spec
from typing import Any, NamedTuple

from ml.methods import get_method
from ml.networks import INSTALL_HINT, PACKAGED_MODULE
from ml.training.config import TrainConfig
from ml.training.schedule import nominal_schedule

PRESETS: dict[str, dict[str, Any]] = {
    "quick": {
        "architecture": "efficientnet-lite0",
        "pretrained": "packaged",
        "frozen": True,
        "input_size": 192,
        "epochs": 25,
        "learning_rate": 0.01,
        "mixup_alpha": 1.0,
    },
    "standard": {},
    "paper": {
        "architecture": "preact-resnet18",
        "width": 64,
        "schedule": "paper",
        "batch_size": 128,
        "learning_rate": 0.1,
        "nesterov": False,
        "weight_decay": 1e-4,
        "ema_decay": 0.0,
        "mixup_alpha": 32.0,
        "mixture_losses": "last",
        "targets": "live",
        "flip": True,
        "crop_border": "black",
    },
}
"""What each preset sets apart from the defaults of `TrainConfig`.

`quick` trains a linear head on the features of a frozen network: minutes on two cores.

`paper` is the published setting of CIFAR-10, CIFAR-100 and TinyImageNet alike. It keeps our
cures: a noise model that is robust, and bootstrap targets from one pass in evaluation mode.
`mixture_mode="faithful"` and `weights="live"` are what the published code does there.
"""


LARGEST_TRAINED = 64
"""Side in pixels above which images are made smaller for a network that is trained as a whole."""
SMALLEST_PRETRAINED = 24
"""Side in pixels below which images show a network that was trained on photos too little."""


class Choice(NamedTuple):
    """A preset, and why it was taken."""

    preset: str
    reason: str


def choose_preset(image_size: tuple[int, int]) -> Choice:
    """Return what `auto` stands for, for images of this height and width.

    The same on every device: a GPU makes training a whole network faster, not the data set larger.
    """
    if min(image_size) < SMALLEST_PRETRAINED:
        return Choice("standard", "the images are too small for a network trained on photos")
    if find_spec(PACKAGED_MODULE) is None:
        return Choice("standard", f"no pretrained weights are installed ({INSTALL_HINT})")
    return Choice("quick", "features of a pretrained network judge few images best")


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
