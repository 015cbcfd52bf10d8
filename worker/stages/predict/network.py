"""The network's part, after the reader's: pixels in, the answer out."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file

import ml
from app.core.durable import write_json
from worker.stages.predict.files import ANSWER, PIXELS, READ

_BATCH = 16


def write_answer(spec: dict[str, Any]) -> None:
    """Show the readable images to the network and write what it says of each."""
    folder = Path(spec["out_dir"])
    card = json.loads(Path(spec["card"]).read_text())
    problems = [json.loads(line) for line in (folder / READ).read_text().splitlines()]
    side = spec["image_size"]
    pixels = np.fromfile(folder / PIXELS, dtype=np.uint8).reshape(-1, side, side, 3)
    model = ml.load_delivered(card, load_file(spec["weights"]))
    answers = iter(_probabilities(model, pixels))
    items = []
    for index, (name, problem) in enumerate(zip(spec["files"], problems, strict=True)):
        said = _said(next(answers), card["classes"], spec["top_k"]) if problem is None else _NOTHING
        items.append({"index": index, "file": name, **said, "error": problem})
    write_json(
        folder / ANSWER,
        {
            "job_id": spec["job_id"],
            "model_job_id": spec["model_job_id"],
            "classes": card["classes"],
            "items": items,
        },
    )


_NOTHING: dict[str, Any] = {"top": [], "probabilities": None}


def _probabilities(model: ml.DeliveredModel, pixels: NDArray[np.uint8]) -> list[list[float]]:
    rows: list[list[float]] = []
    with torch.inference_mode():
        for start in range(0, len(pixels), _BATCH):
            batch = torch.from_numpy(pixels[start : start + _BATCH])
            rows += model(batch.permute(0, 3, 1, 2).contiguous()).tolist()
    return rows


def _said(row: list[float], classes: list[str], top_k: int) -> dict[str, Any]:
    order = sorted(range(len(row)), key=lambda place: -row[place])[:top_k]
    return {
        "top": [{"label": classes[place], "probability": row[place]} for place in order],
        "probabilities": dict(zip(classes, row, strict=True)),
    }
