"""The delivered model: weights and card, and the network with its preparation in other formats.

Stored pixels in, class probabilities out. Shapes: B batch, C classes, S side of the stored images,
T side of what the network sees.
"""

import io
import json
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from typing_extensions import override

from ml.features import PRETRAINED_CLASSES
from ml.networks import build_network, put_head
from ml.training.checkpoint import TrainState, copied, load_pretrained, network_of

ONNX_HINT = "pip install 'labelaudit[onnx]'"
INPUT_NAME, OUTPUT_NAME = "images", "probabilities"
CARD_NAME = "model.json"
"""Under this name the card lies inside a TorchScript file; in ONNX it is a property."""
_OPSET = 17
_EXAMPLES = 2
"""Size of the example batch: tracing would take a batch of one for a constant."""


def export_model(
    state: TrainState, class_names: Sequence[str]
) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Return the averaged weights and a model card.

    Args:
        state: A training after its last epoch.
        class_names: Names of the classes, in the order of the labels.

    Returns:
        Weights by name, and a card, ready for JSON, with which plain PyTorch can rebuild the
        network: input is `(pixels / 255 - mean) / std`, RGB, of shape (B, 3, height, width).

    Raises:
        ValueError: When the number of names is not the number of classes.
    """
    if len(class_names) != state.data.num_classes:
        raise ValueError(f"{state.data.num_classes} class names needed, not {len(class_names)}")
    weights = dict(state.average) if not state.config.frozen else _whole_weights(state)
    card = {
        "architecture": state.config.architecture,
        "width": state.config.width,
        "num_classes": state.data.num_classes,
        "classes": list(class_names),
        "image_size": list(state.data.image_size),
        "mean": list(state.data.mean),
        "std": list(state.data.std),
        "method": state.config.method,
        "epochs": state.epochs_done,
        "seed": state.config.seed,
    }
    return weights, card


def _whole_weights(state: TrainState) -> dict[str, Tensor]:
    """Return the weights of the frozen network with the trained head in its place."""
    config, facts = state.config, state.data
    network = build_network(
        config.architecture, PRETRAINED_CLASSES, config.width, image_size=facts.image_size
    )
    load_pretrained(network, config.pretrained)
    put_head(network, network_of(state, state.average, torch.device("cpu")))
    return copied(network.state_dict())


class DeliveredModel(nn.Module):
    """Maps uint8 RGB images (B, 3, S, S) to float32 probabilities (B, C)."""

    mean: Tensor
    std: Tensor
    resize: Tensor | None

    def __init__(self, network: nn.Module, card: Mapping[str, Any]) -> None:
        """Put the preparation that the card describes before a network."""
        super().__init__()
        self.network = network
        self.num_pixels: int = card["input"]["size"][0]
        size: int = card["image_size"][0]
        matrix = None if size == self.num_pixels else resize_matrix(self.num_pixels, size)
        self.register_buffer("resize", matrix)
        for name in ("mean", "std"):
            self.register_buffer(name, torch.tensor(card[name]).view(3, 1, 1))

    @override
    def forward(self, image_BCHW: Tensor) -> Tensor:
        x_BCHW = image_BCHW.float()
        if self.resize is not None:
            x_BCHW = (self.resize @ x_BCHW @ self.resize.T).clamp(0.0, 255.0)
        logits_BC: Tensor = self.network((x_BCHW / 255.0 - self.mean) / self.std)
        return logits_BC.softmax(dim=1)


def describe_input(side: int) -> dict[str, Any]:
    """Return the part of a card on the images that the ready-made forms take.

    Args:
        side: Height and width of the stored images in pixels, S.
    """
    return {
        "input": {
            "name": INPUT_NAME,
            "dtype": "uint8",
            "layout": "NCHW",
            "channels": "RGB",
            "size": [side, side],
            "from_file": "first frame, upright by EXIF, on white where transparent, squashed (not "
            "cropped) to `size` by Pillow's LANCZOS",
        },
        "preprocessing": "inside the ready-made forms; for the weights alone: bicubic with "
        "antialiasing to `image_size`, clamped to 0..255, then (x / 255 - mean) / std",
        "output": {
            "name": OUTPUT_NAME,
            "dtype": "float32",
            "meaning": "softmax over `classes`, in their order, as the network gives it: not "
            "calibrated",
        },
    }


def load_delivered(card: Mapping[str, Any], weights: Mapping[str, Tensor]) -> DeliveredModel:
    """Return a delivered model, ready to predict on the CPU.

    Args:
        card: The card, with `input`.
        weights: The tensors of the safetensors file.

    Raises:
        ValueError: When the card names no network that is known.
        RuntimeError: When the weights are those of another network.
    """
    height, width = card["image_size"]
    with torch.device("meta"):
        network = build_network(
            card["architecture"], card["num_classes"], card["width"], image_size=(height, width)
        )
    network.load_state_dict(dict(weights), assign=True)
    return DeliveredModel(network, card).eval().requires_grad_(requires_grad=False)


def write_torchscript(model: DeliveredModel, card: Mapping[str, Any], target: Path) -> None:
    """Write a file that `torch.jit.load` runs without any code of ours; the card lies inside."""
    with _without_warnings():
        torch.jit.save(_traced(model), target, _extra_files={CARD_NAME: json.dumps(card)})


def write_onnx(model: DeliveredModel, card: Mapping[str, Any], target: Path) -> None:
    """Write an ONNX file, batches of any size; the card lies in the property `model.json`.

    Raises:
        ValueError: When the package is not installed.
    """
    if find_spec("onnx") is None:
        raise ValueError(f"ONNX is not installed: {ONNX_HINT}")
    onnx: Any = import_module("onnx")
    file = io.BytesIO()
    batch = {0: "batch"}
    with _without_warnings():
        # torch's newer exporter took 10 to 24 s where this one takes 1 to 5, and wants a further
        # package (docs/decisions/0060).
        torch.onnx.export(
            _traced(model),
            (_example(model),),
            file,  # type: ignore[arg-type]  # this exporter writes to files of any kind
            dynamo=False,
            opset_version=_OPSET,
            input_names=[INPUT_NAME],
            output_names=[OUTPUT_NAME],
            dynamic_axes={INPUT_NAME: batch, OUTPUT_NAME: batch},
        )
    proto = onnx.load_model_from_string(file.getvalue())
    onnx.helper.set_model_props(proto, {CARD_NAME: json.dumps(card)})
    target.write_bytes(proto.SerializeToString())


def resize_matrix(num_from: int, num_to: int) -> Tensor:
    """Return the matrix (num_to, num_from) of bicubic interpolation, smoothed where it shrinks.

    Interpolation is linear and separable: as two products it is the same in every runtime.
    """
    identity = torch.eye(num_from)[None, None]
    matrix = functional.interpolate(
        identity, size=(num_to, num_from), mode="bicubic", antialias=True
    )
    return matrix[0, 0]


def _traced(model: DeliveredModel) -> torch.jit.ScriptModule:
    traced: Any = torch.jit.trace(  # type: ignore[no-untyped-call]  # torch says no more of it
        model, _example(model), check_trace=False
    )
    if not isinstance(traced, torch.jit.ScriptModule):
        raise TypeError("a module is traced to a module")
    return traced


def _example(model: DeliveredModel) -> Tensor:
    side = model.num_pixels
    return torch.zeros((_EXAMPLES, 3, side, side), dtype=torch.uint8)


@contextmanager
def _without_warnings() -> Iterator[None]:
    """Hide warnings of deprecation, and of sizes that tracing takes for constants.

    The sizes are constants. TorchScript runs without Python; torch only no longer develops it.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
