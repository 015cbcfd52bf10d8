"""Options of a training; the defaults are those of the `standard` preset."""

from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any, Literal, NamedTuple, get_args

from ml.networks import INSTALL_HINT, PACKAGED_MODULE, check_architecture
from ml.training.methods import Method, get_method
from ml.training.schedule import Schedule, nominal_schedule

MixtureMode = Literal["robust", "faithful"]
MixtureLosses = Literal["mean", "last"]
Weights = Literal["stored", "live"]
Targets = Literal["stored", "live"]
CropBorder = Literal["mirror", "black"]


@dataclass(frozen=True, kw_only=True, slots=True)
class TrainConfig:
    """Options of one training. Invalid values raise `ValueError` with a message for users."""

    method: str = "m-dyr-h"
    epochs: int = 30
    seed: int = 0
    architecture: str = "resnet9"
    width: int = 32
    """Channels of the first layer, of our own networks."""
    pretrained: str | None = None
    """Weights to start from: `packaged` for those of an installed package, else the path of a
    safetensors file. None starts from random ones."""
    frozen: bool = False
    """Keep the weights to start from, and train a linear head on the network's features."""
    input_size: int | None = None
    """Side in pixels to which images are brought for a frozen network."""
    schedule: str = "standard"
    """When the learning rate falls and labels are corrected; scaled to `epochs`."""
    batch_size: int = 64
    """Nominal: an epoch is cut into equal batches of about this size."""
    learning_rate: float = 0.05
    """Peak of the schedule."""
    momentum: float = 0.9
    nesterov: bool = True
    weight_decay: float = 5e-4
    head_precision: float = 700.0
    """Of a Gaussian prior on the weights of a head: its weight decay is this by the number of
    samples. A head without it memorises: it has more weights than a small set has samples."""
    ema_decay: float = 0.98
    """Per step, of the averaged weights that judge the labels; 0 judges by the newest weights."""
    mixup_alpha: float | None = None
    """Mixes with Be(alpha, alpha). None: alpha is a hundredth of the epochs. Much mixing slows
    learning, little mixing lets the network memorise labels. The paper's 32 is for 300 epochs."""
    mixture_mode: MixtureMode = "robust"
    """How the noise model is fitted: as published, or with its defects cured."""
    mixture_losses: MixtureLosses = "mean"
    """Losses that the noise model is fitted to: averaged over the epochs, or of the last epoch."""
    weights: Weights = "stored"
    """`stored`: a label is corrected by its probability after the last epoch. `live`: by the
    probability that the last epoch's noise model gives the present network's loss."""
    targets: Targets = "stored"
    """`stored`: a label is corrected towards the prediction averaged over the tracked epochs.
    `live`: towards the present network's prediction, which costs a forward pass."""
    flip: bool | None = None
    """Mirror images left to right. None: only images of 24 pixels or more; smaller ones are often
    glyphs."""
    max_shift: float = 0.125
    """Largest shift of an image along each axis, as a share of its smaller side; 0 for none. The
    default is the published 4 pixels of 32 and 8 of 64."""
    crop_border: CropBorder = "mirror"
    """What fills a shifted image's border."""

    def __post_init__(self) -> None:
        nominal_schedule(self.schedule, get_method(self.method))
        check_architecture(self.architecture)
        for name, choices in _CHOICES.items():
            if getattr(self, name) not in choices:
                known = ", ".join(choices)
                raise ValueError(f"unknown {name} {getattr(self, name)!r}; known: {known}")
        if self.frozen and (self.pretrained is None or self.input_size is None):
            raise ValueError("a frozen network needs weights (pretrained) and an input_size")
        for name, low, high in _BOUNDS:
            value = getattr(self, name)
            if value is not None and not low <= value <= high:
                raise ValueError(f"{name} must be between {low:g} and {high:g}, not {value!r}")

    def alpha(self) -> float:
        """Return the strength of mixup."""
        return self.epochs / 100.0 if self.mixup_alpha is None else self.mixup_alpha

    def recipe(self) -> Method:
        """Return the method that `method` names."""
        return get_method(self.method)

    def plan(self) -> Schedule:
        """Return the schedule, scaled to `epochs`."""
        return nominal_schedule(self.schedule, self.recipe()).scaled(self.epochs)


_CHOICES: dict[str, tuple[str, ...]] = {
    "mixture_mode": get_args(MixtureMode),
    "mixture_losses": get_args(MixtureLosses),
    "weights": get_args(Weights),
    "targets": get_args(Targets),
    "crop_border": get_args(CropBorder),
}
_BOUNDS: tuple[tuple[str, float, float], ...] = (
    ("epochs", 1, 10_000),
    ("seed", 0, 2**63 - 1),
    ("width", 4, 1024),
    ("batch_size", 4, 65_536),
    ("learning_rate", 1e-8, 1e6),
    ("momentum", 0.0, 0.9999),
    ("weight_decay", 0.0, 1.0),
    ("head_precision", 0.0, 1e9),
    ("ema_decay", 0.0, 0.99999),
    ("mixup_alpha", 1e-3, 1e6),
    ("max_shift", 0.0, 0.5),
)
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
"""Options of each preset that differ from the defaults of `TrainConfig`.

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
    """A preset, and the reason for choosing it."""

    preset: str
    reason: str


def choose_preset(image_size: tuple[int, int]) -> Choice:
    """Return the preset that `auto` stands for, for images of this height and width.

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
