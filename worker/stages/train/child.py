"""The child that trains: `python -m worker.stages.train.child SPEC`.

It reads decoded images and labels, writes checkpoints and results into its attempt's folder,
and leaves the job row to its supervisor.
"""

import os
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import torch

import ml
from worker.processes.child import Progress, StopRequest, emit, note, run
from worker.processes.errors import ChildFailedError
from worker.stages.train.checkpoints import (
    Checkpoint,
    CheckpointError,
    candidates,
    load_checkpoint,
    save_checkpoint,
)
from worker.stages.train.data import TrainingData
from worker.stages.train.inputs import TrainingInputs, prepare_inputs
from worker.stages.train.pace import Pace, TrainingPace
from worker.stages.train.results import Results, write_results

AUTO = "auto"
MIN_SAMPLES = 2
EXTRACTION_SHARE = 0.7
"""Part of a training on features that extracting them takes."""
_FIRST_PART = 0.02
"""Part of an extraction from whose end on its speed is measured."""


class Training:
    """One run of the training loop, with its checkpoints and its progress."""

    def __init__(self, spec: dict[str, Any], config: ml.TrainConfig, stop: StopRequest) -> None:
        """Prepare what the spec describes."""
        self._folder = Path(spec["out_dir"]) / "checkpoints"
        self._folder.mkdir(exist_ok=True)
        self._progress = Progress(stop)
        self._pointer = spec["checkpoint"]
        self._config = config
        self._offset = EXTRACTION_SHARE if config.frozen else 0.0
        self._slice_size: int | None = None
        self._begins_epoch = True

    def prepare(self, data: TrainingData, device: torch.device) -> TrainingInputs:
        """Return what to train on, made now if this is the first training that needs it."""
        num_images = len(data.labels)
        pace = Pace(first_part=_FIRST_PART * num_images)

        def on_extracted(num_done: int, num_before: int) -> None:
            rate = pace.rate(num_done - num_before)
            self._progress.tell(
                fraction=self._offset * num_done / num_images,
                epoch=None,
                epochs=None,
                images_per_second=rate,
                # The training after it is short, and nothing is known of it yet.
                eta_seconds=None if rate is None else (num_images - num_done) / rate,
            )

        if self._config.frozen:
            emit("stage", stage="features")
        inputs = prepare_inputs(data, self._config, device, on_extracted)
        emit("stage", stage="train")
        return inputs

    def run(
        self, inputs: TrainingInputs, data: TrainingData, device: torch.device
    ) -> ml.TrainState:
        """Train to the end, from the last good checkpoint where there is one."""
        state = self._resume()
        self._slice_size = None if state is None else state.slice_size
        pace = TrainingPace(
            len(data.train_labels),
            epochs=self._config.epochs,
            epochs_done=0 if state is None else state.epochs_done,
        )
        return ml.train(
            inputs.train,
            data.train_labels,
            num_classes=data.num_classes,
            config=self._config,
            device=device,
            state=state,
            verified_N=data.verified,
            on_epoch=self._on_epoch,
            on_batch=partial(self._on_batch, pace),
        )

    def _resume(self) -> ml.TrainState | None:
        """Return the newest state that is as it was written and fits, and say which it is."""
        if self._pointer is None:
            return None
        for path in candidates(Path(self._pointer)):
            try:
                checkpoint = load_checkpoint(path)
                state = ml.TrainState.from_tensors(checkpoint.tensors, checkpoint.metadata)
            except (CheckpointError, ValueError) as error:
                emit("checkpoint_refused", detail=str(error))
                note(f"checkpoint refused: {error}")
                continue
            emit("resumed", epoch=state.epochs_done)
            note(f"resumed after epoch {state.epochs_done}")
            return state
        return None

    def _on_epoch(self, state: ml.TrainState, report: ml.EpochReport) -> None:
        tensors, metadata = state.to_tensors()
        path = save_checkpoint(self._folder, state.epochs_done, Checkpoint(tensors, metadata))
        emit("checkpoint", path=str(path), epoch=state.epochs_done)
        note(_line(report, self._config.epochs))
        if state.rolled_back_in == report.epoch:
            emit("rolled_back", epoch=report.epoch, learning_rate=report.learning_rate)
        if report.slice_size != self._slice_size:
            self._slice_size = report.slice_size
            emit("smaller_slices", epoch=report.epoch, slice_size=report.slice_size)
        mixture = report.mixture
        emit(
            "epoch",
            epoch=report.epoch,
            num_skipped_steps=report.num_skipped_steps,
            train_loss=report.train_loss,
            mean_tracking_loss=report.mean_tracking_loss,
            noise_rate=mixture.noise_rate,
            mixture=asdict(mixture),
            loss_histogram=ml.fitted_histogram(state.mixture, report.loss_histogram),
            images_per_second=report.images_per_second,
            seconds=report.seconds,
        )
        self._begins_epoch = True

    def _on_batch(self, pace: TrainingPace, progress: ml.BatchProgress) -> None:
        part = progress.batch / progress.num_batches
        fraction = (progress.epoch - 1 + part) / self._config.epochs
        images_per_second, eta_seconds = pace.after(progress)
        self._progress.tell(
            at_once=self._begins_epoch,
            fraction=self._offset + (1.0 - self._offset) * fraction,
            epoch=progress.epoch,
            epochs=self._config.epochs,
            images_per_second=images_per_second,
            eta_seconds=eta_seconds,
        )
        self._begins_epoch = False


def _line(report: ml.EpochReport, num_epochs: int) -> str:
    """Return what the log says of an epoch."""
    noise, slices = report.mixture.noise_rate, report.slice_size
    return (
        f"epoch {report.epoch}/{num_epochs}: loss {report.train_loss:.4f}, "
        f"tracked {report.mean_tracking_loss:.4f}, noise {noise:.3f}, "
        f"{report.images_per_second:.0f} images/s"
        + (f", slices of {slices}" if slices else "")
        + (f", {report.num_skipped_steps} steps skipped" if report.num_skipped_steps else "")
    )


def choose_preset(options: dict[str, Any], image_size: tuple[int, int]) -> ml.Choice:
    """Return the preset of a job's options, and why it is that one."""
    preset = options.get("preset", AUTO)
    if preset == AUTO:
        return ml.choose_preset(image_size)
    return ml.Choice(preset, "asked for")


def make_config(preset: str, options: dict[str, Any]) -> ml.TrainConfig:
    """Return the training options of a job's options; the preset fills in what is left open."""
    chosen = {name: options[name] for name in ("method", "epochs", "seed")}
    return ml.make_config(
        preset, **{name: value for name, value in chosen.items() if value is not None}
    )


def main(spec: dict[str, Any], stop: StopRequest) -> None:
    """Train, score and write the results, or report why not."""
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        _run(spec, stop, device)
    except ml.Diverged as error:
        raise ChildFailedError("diverged", str(error)) from error
    except ml.NotEnoughMemory as error:
        raise ChildFailedError("oom", str(error)) from error
    except RuntimeError as error:
        if not ml.is_out_of_memory(error):
            raise
        raise MemoryError(str(error)) from error


def _run(spec: dict[str, Any], stop: StopRequest, device: torch.device) -> None:
    data = TrainingData.load(spec)
    if len(data.train_labels) < MIN_SAMPLES:
        detail = "reviewers excluded nearly all samples: nothing to train on"
        raise ChildFailedError("too_few_samples", detail)
    choice = choose_preset(spec["options"], data.image_size)
    config = make_config(choice.preset, spec["options"])
    if "OMP_NUM_THREADS" not in os.environ:
        size = (config.input_size,) * 2 if config.input_size else data.image_size
        torch.set_num_threads(ml.useful_threads(size))
    training = Training(spec, config, stop)
    note(f"preset {choice.preset} ({choice.reason}) on {device.type}, {len(data.labels)} samples")
    inputs = training.prepare(data, device)
    state = training.run(inputs, data, device)
    emit("stage", stage="score")
    write_results(Results(state, data, inputs, choice), spec, device)


if __name__ == "__main__":
    run(main)
