"""One cell: train on noisy labels, test after every epoch, and compare with the truth.

The only module of the study that knows torch.
"""

import platform
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

import ml
from benchmarks import harness
from benchmarks.study.data import StudyData, make_noise
from benchmarks.study.detection import FLAG_ABOVE, measure, posteriors
from benchmarks.study.grid import Cell
from benchmarks.study.results import (
    FORMAT,
    CellFigures,
    CellOrigin,
    CellResult,
    DataSummary,
    DetectionScore,
    EpochRow,
)
from ml.noise import NoisyLabels

NUM_SNAPSHOTS = 6
"""Epochs, spread over the training, whose losses are kept for the pictures."""

OnEpoch = Callable[[EpochRow], None]
OnBatch = Callable[[ml.BatchProgress], None]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CellOutcome:
    """What one cell gave."""

    result: CellResult
    losses: Mapping[str, npt.NDArray[Any]]
    """`epochs` (K,), `losses` (K, N) in nats, `is_wrong` (N,)."""


class _Recorder:
    """Tests after every epoch and keeps the losses of some."""

    def __init__(
        self, data: StudyData, epochs: int, device: torch.device, on_epoch: OnEpoch
    ) -> None:
        self.rows: list[EpochRow] = []
        self.losses: dict[int, npt.NDArray[np.float32]] = {}
        self._kept = set(np.linspace(1, epochs, NUM_SNAPSHOTS).round().astype(int).tolist())
        self._data = data
        self._device = device
        self._on_epoch = on_epoch

    def record(self, state: ml.TrainState, report: ml.EpochReport) -> None:
        test = ml.evaluate(
            state, self._data.test_images, self._data.test_labels, device=self._device
        )
        if report.epoch in self._kept:
            self.losses[report.epoch] = state.history.last_loss.numpy().copy()
        self.rows.append(
            {
                "epoch": report.epoch,
                "train_loss": report.train_loss,
                "mean_tracking_loss": report.mean_tracking_loss,
                "test_accuracy": test.accuracy,
                "noise_rate": report.mixture.noise_rate,
                "seconds": report.seconds,
            }
        )
        self._on_epoch(self.rows[-1])


def run_cell(
    cell: Cell,
    config: ml.TrainConfig,
    data: StudyData,
    fingerprint: str,
    *,
    on_epoch: OnEpoch,
    on_batch: OnBatch,
) -> CellOutcome:
    """Run one cell on the best device of this machine.

    Args:
        cell: Which noise the labels get.
        config: Options of the training, with the cell's method and seed.
        data: Images and true labels.
        fingerprint: Of `data`.
        on_epoch: Called after each epoch and its test.
        on_batch: Called after each batch.

    Raises:
        Diverged: When the loss stops being finite.
    """
    started = time.monotonic()
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    origin = _origin(device)  # now: the code may change while this runs
    noisy = make_noise(data, kind=cell.noise_kind, level=cell.noise_level, seed=cell.seed)
    recorder = _Recorder(data, config.epochs, device, on_epoch)
    state = ml.train(
        data.train_images,
        noisy.labels,
        num_classes=data.num_classes,
        config=config,
        device=device,
        on_epoch=recorder.record,
        on_batch=on_batch,
    )
    result: CellResult = {
        "format": FORMAT,
        "name": cell.name,
        "method": cell.method,
        "noise_kind": cell.noise_kind,
        "noise_level": cell.noise_level,
        "seed": cell.seed,
        **_figures(recorder, state, noisy),
        "config": asdict(config),
        "data": _summary(data, fingerprint),
        **origin,
        "seconds": time.monotonic() - started,
    }
    return CellOutcome(result=result, losses=_losses(recorder, noisy))


def _figures(recorder: _Recorder, state: ml.TrainState, noisy: NoisyLabels) -> CellFigures:
    accuracies = [row["test_accuracy"] for row in recorder.rows]
    return {
        "actual_noise_rate": noisy.actual_rate,
        "best_accuracy": max(accuracies),
        "last_accuracy": accuracies[-1],
        "detection": _detection(state, noisy),
        "epochs": recorder.rows,
    }


def _origin(device: torch.device) -> CellOrigin:
    on_cuda = device.type == "cuda"
    name = torch.cuda.get_device_name(device) if on_cuda else device.type
    return {
        "commit": harness.code_version(),
        "versions": {"torch": torch.__version__, **harness.versions()},
        "hardware": {
            "machine": platform.machine(),
            "cpu": harness.cpu_model(),
            "cores": harness.num_cores(),
            "device": name,
            "threads": torch.get_num_threads(),
        },
    }


def _detection(state: ml.TrainState, noisy: NoisyLabels) -> dict[str, DetectionScore]:
    """Compare every estimator with the truth: noise models of the last losses, and findings."""
    losses = state.history.last_loss.numpy()
    scores = {
        name: measure(posterior, posterior > FLAG_ABOVE, noisy.is_wrong)
        for name, posterior in posteriors(losses)
    }
    findings = ml.score(state, noisy.labels)
    disagrees = state.history.last_prediction.numpy() != noisy.labels
    return scores | {
        "findings": measure(findings.p_mislabeled, findings.flagged, noisy.is_wrong),
        "argmax": measure(disagrees.astype(np.float64), disagrees, noisy.is_wrong),
    }


def _losses(recorder: _Recorder, noisy: NoisyLabels) -> dict[str, npt.NDArray[Any]]:
    return {
        "epochs": np.array(list(recorder.losses)),
        "losses": np.stack(list(recorder.losses.values())),
        "is_wrong": noisy.is_wrong,
    }


def _summary(data: StudyData, fingerprint: str) -> DataSummary:
    return {
        "name": data.name,
        "fingerprint": fingerprint,
        "num_train": len(data.train_labels),
        "num_test": len(data.test_labels),
        "num_classes": data.num_classes,
        "image_size": [int(side) for side in data.train_images.shape[1:3]],
    }
