"""A trainer that cannot go on as it is tells its supervisor (RELIABILITY tests 27 and 29)."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from ml.training import step as step_module
from ml.training.checkpoint import network_of
from tests.support.tiny import CLASSES, SIZE, plant_errors, tiny_images
from worker.processes.child import StopRequest
from worker.processes.errors import ChildFailedError
from worker.stages.train import child as trainer
from worker.stages.train.checkpoints import load_checkpoint

NUM_SAMPLES = 128


@pytest.fixture
def run_trainer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[[int], list[dict[str, Any]]]:
    """Train where passes with gradients hold only so many images; return the events."""
    images, truth = tiny_images(NUM_SAMPLES)
    labels, _ = plant_errors(truth)
    images.tofile(tmp_path / "images.u8")
    folder = tmp_path / "attempt"
    folder.mkdir()
    np.save(folder / "labels.npy", labels)
    np.save(folder / "given_labels.npy", labels)
    np.save(folder / "is_train.npy", np.ones(NUM_SAMPLES, dtype=bool))
    for name in ("is_copy", "is_verified", "is_excluded"):
        np.save(folder / f"{name}.npy", np.zeros(NUM_SAMPLES, dtype=bool))
    np.save(folder / "picture.npy", np.arange(NUM_SAMPLES))
    options = {"preset": "standard", "method": "m-dyr-h", "epochs": 2, "seed": 0}
    spec = {
        "images": str(tmp_path / "images.u8"), "image_size": SIZE, "classes": CLASSES,
        "content_hash": "c" * 64, "options": options, "out_dir": str(folder), "checkpoint": None,
    }  # fmt: skip

    def run(limit: int) -> list[dict[str, Any]]:
        def check(_network: nn.Module, inputs: tuple[Any, ...]) -> None:
            if torch.is_grad_enabled() and len(inputs[0]) > limit:
                raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to …")

        def limited(*arguments: Any) -> nn.Module:
            network = network_of(*arguments)
            network.register_forward_pre_hook(check)
            return network

        monkeypatch.setattr(step_module, "network_of", limited)
        monkeypatch.setenv("OMP_NUM_THREADS", "1")
        failed = []
        try:
            trainer.main(spec, StopRequest())
        except ChildFailedError as error:
            failed = [{"event": "failed", "code": error.code, "detail": error.detail}]
        return [json.loads(line) for line in capsys.readouterr().out.splitlines()] + failed

    return run


def test_smaller_slices_are_told_once_and_stand_in_the_report(
    run_trainer: Callable[[int], list[dict[str, Any]]], tmp_path: Path
) -> None:
    events = run_trainer(32)
    told = [event for event in events if event["event"] == "smaller_slices"]
    assert told == [{"event": "smaller_slices", "epoch": 1, "slice_size": 32}]
    report = json.loads((tmp_path / "attempt" / "report.json").read_text())
    assert "smaller_slices" in report["fallbacks"]


def test_a_training_that_diverges_says_so_and_leaves_finite_checkpoints(
    run_trainer: Callable[[int], list[dict[str, Any]]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    make_config = trainer.make_config
    monkeypatch.setattr(
        trainer,
        "make_config",
        lambda *given: replace(make_config(*given), learning_rate=1e6, epochs=6),
    )
    last = run_trainer(NUM_SAMPLES)[-1]
    assert (last["event"], last["code"]) == ("failed", "diverged")
    for path in (tmp_path / "attempt" / "checkpoints").glob("epoch-*"):
        for tensor in load_checkpoint(path).tensors.values():
            assert torch.isfinite(tensor.double()).all()


def test_a_batch_that_fits_in_no_slice_is_the_error_oom(
    run_trainer: Callable[[int], list[dict[str, Any]]],
) -> None:
    last = run_trainer(4)[-1]
    assert (last["event"], last["code"]) == ("failed", "oom")
    assert "8 samples at once" in last["detail"]
