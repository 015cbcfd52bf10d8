"""Checkpoints on disk: whole or absent, checked by hash, the last two kept.

A checkpoint is a folder `epoch-NNNN` with `state.safetensors`, `metadata.json` and, written
last, `manifest.json` with the SHA-256 of both. No pickle (CVE-2025-32434, CVE-2026-24747).
"""

import hashlib
import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load, save

from app.core.durable import sync_folder, write_bytes, write_json

_TENSORS, _METADATA, _MANIFEST = "state.safetensors", "metadata.json", "manifest.json"
_NUM_KEPT = 2


class CheckpointError(Exception):
    """A checkpoint that is incomplete or not as it was written."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """Tensors and JSON values of a training state."""

    tensors: dict[str, torch.Tensor]
    metadata: dict[str, Any]


def save_checkpoint(folder: Path, epoch: int, checkpoint: Checkpoint) -> Path:
    """Write the checkpoint after `epoch` epochs, then drop all but the last two.

    Returns:
        The checkpoint's folder.

    Raises:
        ValueError: The state is not finite; the older checkpoints stay.
    """
    _require_finite(checkpoint)
    target = folder / f"epoch-{epoch:05d}"
    shutil.rmtree(target, ignore_errors=True)
    files = {
        _TENSORS: save(checkpoint.tensors),
        _METADATA: json.dumps(checkpoint.metadata, allow_nan=False).encode(),
    }
    for name, data in files.items():
        write_bytes(target / name, data)
    hashes = {name: hashlib.sha256(data).hexdigest() for name, data in files.items()}
    write_json(target / _MANIFEST, hashes)
    sync_folder(folder)
    for old in _newest_first(folder)[_NUM_KEPT:]:
        shutil.rmtree(old, ignore_errors=True)
    return target


def load_checkpoint(path: Path) -> Checkpoint:
    """Read one checkpoint, hashes first.

    Raises:
        CheckpointError: A file is missing or changed.
    """
    try:
        hashes: dict[str, str] = json.loads((path / _MANIFEST).read_text())
        data = {name: (path / name).read_bytes() for name in (_TENSORS, _METADATA)}
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{path.name}: {error}") from error
    for name, content in data.items():
        if hashlib.sha256(content).hexdigest() != hashes.get(name):
            raise CheckpointError(f"{path.name}: {name} is not as it was written")
    return Checkpoint(tensors=load(data[_TENSORS]), metadata=json.loads(data[_METADATA]))


def candidates(pointer: Path) -> Iterator[Path]:
    """Yield all checkpoints of the pointer's job, of any attempt, newest first.

    The row's pointer lags: a trainer whose supervisor was killed goes on for a moment, and may
    have replaced the checkpoint that the row names by newer ones. These are as good: a checkpoint
    is a function of the job's options and data, whichever attempt wrote it.
    """
    job_folder = pointer.parents[2]
    yield from sorted(job_folder.glob("*/*/epoch-*"), key=lambda path: path.name, reverse=True)


def _newest_first(folder: Path) -> list[Path]:
    return sorted(folder.glob("epoch-*"), reverse=True)


def _require_finite(checkpoint: Checkpoint) -> None:
    for name, tensor in checkpoint.tensors.items():
        if tensor.is_floating_point() and not bool(tensor.isfinite().all()):
            raise ValueError(f"{name} is not finite")
