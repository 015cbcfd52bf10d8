"""The trained network as files: weights with their card, and forms that run without our code."""

import hashlib
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

from safetensors.torch import save_file

import ml
from app.core.durable import write_json
from worker.stages.train.data import TrainingData

WEIGHTS, CARD = "model.safetensors", "model.json"
TORCHSCRIPT, ONNX = "model.torchscript.pt", "model.onnx"
_FORMS: dict[str, Callable[[ml.DeliveredModel, dict[str, Any], Path], None]] = {
    TORCHSCRIPT: ml.write_torchscript,
    ONNX: ml.write_onnx,
}


def write_model(
    state: ml.TrainState, data: TrainingData, facts: dict[str, Any], folder: Path
) -> list[str]:
    """Write the weights, the card with these facts, and each ready-made form that can be had.

    Returns:
        Why a form is missing, a sentence each.
    """
    weights, card = ml.export_model(state, data.classes)
    card |= ml.describe_input(data.image_size[0])
    save_file({name: tensor.contiguous() for name, tensor in weights.items()}, folder / WEIGHTS)
    weights_sha256 = hashlib.sha256((folder / WEIGHTS).read_bytes()).hexdigest()
    card |= facts | {"weights_sha256": weights_sha256}
    write_json(folder / CARD, card)
    model = ml.load_delivered(card, weights)
    missing = [_write_form(name, model, card, folder) for name in _FORMS]
    return [reason for reason in missing if reason is not None]


def _write_form(
    name: str, model: ml.DeliveredModel, card: dict[str, Any], folder: Path
) -> str | None:
    """Write one form, or return why not: an exporter that fails costs its form, not the audit."""
    target = folder / name
    try:
        _FORMS[name](model, card, target)
    except OSError:
        raise  # a full disk is the attempt's end, as for any other file
    except Exception as error:  # noqa: BLE001 - an exporter may fail in any way
        traceback.print_exc()  # into the attempt's log
        target.unlink(missing_ok=True)
        return f"{name} was not made: {error}"
    return None
