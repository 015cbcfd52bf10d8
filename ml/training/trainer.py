"""The training loop: epochs, tracking passes, mixtures, a checkpoint between any two epochs."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from ml.device import deterministic
from ml.mixture import Mixture, fit_mixture
from ml.seeding import Stream, generator
from ml.training.checkpoint import TrainState, initial_state
from ml.training.config import TrainConfig
from ml.training.data import Source, data_facts, make_source
from ml.training.history import BatchProgress, EpochReport, MixtureSummary, loss_histogram
from ml.training.memory import is_out_of_memory, pass_size, release_memory, smaller_slice
from ml.training.passes import (
    STATISTICS_BATCH,
    TRACKING_BATCH,
    measure_batch_statistics,
    num_tracking_batches,
    predict,
)
from ml.training.schedule import Schedule
from ml.training.step import EpochInput, LabelWeights, Learner, batch_loss
from ml.types import BoolArray, FeatureArray, ImageArray, IntArray

MAX_SKIPPED_IN_A_ROW = 4
MAX_SKIPPED_SHARE = 0.01
ROLL_BACK_RATE = 0.1
"""Factor of the learning rate after a roll-back."""


class Diverged(RuntimeError):  # noqa: N818 - names what happened; callers read `except Diverged`
    """The loss or the weights stopped being finite: this run cannot go on."""

    def __init__(self, epoch: int) -> None:
        super().__init__(f"training diverged in epoch {epoch}: the loss is not finite")
        self.epoch = epoch


class NotEnoughMemory(RuntimeError):  # noqa: N818 - as above
    """Memory does not suffice even for the smallest slices of a batch."""

    def __init__(self, size: int, reason: str) -> None:
        super().__init__(f"not enough memory for {size} samples at once: {reason}")


class NonFiniteLoss(RuntimeError):  # noqa: N818 - as above
    """An epoch had too many steps without a finite loss, or its weights are not finite."""


@dataclass(frozen=True, slots=True)
class EpochOutcome:
    """The numbers of an epoch of training."""

    train_loss: float
    """Mean over the steps taken, in nats."""
    num_skipped: int
    """Steps that were skipped, since their loss was not finite."""


class Labels(NamedTuple):
    """The labels of a training."""

    given: Tensor
    """(N,) int64."""
    verified: Tensor
    """Which labels a person found right, (N,) bool."""


def train(  # noqa: PLR0913 - the marks belong to the labels, as a state to a config
    inputs: ImageArray | FeatureArray,
    labels_N: IntArray,
    *,
    num_classes: int,
    config: TrainConfig,
    device: torch.device,
    state: TrainState | None = None,
    verified_N: BoolArray | None = None,
    on_epoch: Callable[[TrainState, EpochReport], None],
    on_batch: Callable[[BatchProgress], None],
) -> TrainState:
    """Train a network robustly and track every sample's loss (paper, section 3).

    On one machine the result is a function of the arguments: a run that is resumed from any
    epoch's state equals an uninterrupted one bit for bit.

    Args:
        inputs: RGB images, uint8, shape (N, H, W, 3); where `config.frozen`, features of them by
            `extract_features`. May be a memory map larger than memory.
        labels_N: Given labels, shape (N,), integers in [0, num_classes).
        num_classes: Number of classes, C.
        config: Options.
        device: Where to compute.
        state: Where to go on; None starts anew.
        verified_N: Which labels people found right, shape (N,): they are never corrected. None of
            them by default; a run that goes on needs the same ones.
        on_epoch: Called after each epoch with a state that is a complete checkpoint.
        on_batch: Called after each batch; may raise to stop, which loses the epoch in progress.

    Returns:
        The state after the last epoch.

    Raises:
        ValueError: When the data are unfit, or `state` belongs to other data or options.
        Diverged: When the loss stops being finite, also with a tenth of the learning rate.
        NotEnoughMemory: When even small slices of a batch do not fit.
    """
    labels_N = np.asarray(labels_N, dtype=np.int64)
    facts = data_facts(inputs, labels_N, num_classes, config)
    state = state or initial_state(config, facts, inputs)
    if state.config != config or state.data != facts:
        raise ValueError("the state to resume from belongs to other data or other options")
    source = make_source(inputs, facts, config, device)
    labels = Labels(torch.from_numpy(labels_N), _verified(verified_N, len(labels_N)))
    with deterministic(device):
        learner = Learner.restore(state, device)
        while state.epochs_done < config.epochs:
            try:
                state = _run_epoch(state, learner, source, labels, on_batch)
            except (RuntimeError, MemoryError) as error:
                state = _state_to_retry_from(state, error)
            else:
                on_epoch(state, state.reports[-1])
                continue
            # Not inside `except`: there the traceback of the error still holds the step's memory.
            release_memory(device)
            learner = Learner.restore(state, device)
    return state


def _verified(verified_N: BoolArray | None, num_samples: int) -> Tensor:
    if verified_N is None:
        return torch.zeros(num_samples, dtype=torch.bool)
    if verified_N.shape != (num_samples,):
        raise ValueError(f"{num_samples} marks of verified labels needed, not {verified_N.size}")
    return torch.from_numpy(np.asarray(verified_N, dtype=np.bool_))


def _run_epoch(
    state: TrainState,
    learner: Learner,
    source: Source,
    labels: Labels,
    on_batch: Callable[[BatchProgress], None],
) -> TrainState:
    """Train and track one epoch.

    Raises:
        NonFiniteLoss: When the epoch's losses or weights are not finite.
    """
    started = time.monotonic()
    config, epoch = state.config, state.epochs_done + 1
    beat = _counter(state, on_batch)
    outcome = train_epoch(
        _epoch_input(state, source, labels),
        learner,
        plan=config.plan(),
        peak_rate=config.learning_rate * (1.0 if state.rolled_back_in is None else ROLL_BACK_RATE),
        on_batch=beat,
    )
    log_prob_NC = _track(state, learner, source, beat)
    history = state.history.updated(log_prob_NC, labels.given)
    weights = learner.weights()
    if not (bool(history.last_loss.isfinite().all()) and _are_finite(weights)):
        raise NonFiniteLoss
    tracked = replace(
        state,
        epochs_done=epoch,
        history=history,
        network=weights["network"],
        average=weights["average"],
        momentum=weights["momentum"],
    )
    mixture = fit_mixture(
        tracked.mixture_losses.numpy(), kind=config.recipe().mixture_kind, mode=config.mixture_mode
    )
    report = _report(tracked, outcome, mixture, learner, time.monotonic() - started)
    return replace(tracked, mixture=mixture, reports=(*state.reports, report))


def _counter(state: TrainState, on_batch: Callable[[BatchProgress], None]) -> Callable[[], None]:
    """Return a function that reports one more batch of the epoch after the state."""
    epoch, num_samples = state.epochs_done + 1, state.data.num_samples
    tracking_batch = pass_size(state.slice_size, TRACKING_BATCH)
    total = num_batches(state.config, num_samples)
    total += num_tracking_batches(num_samples, tracking_batch)
    count = iter(range(1, total + 1))
    return lambda: on_batch(BatchProgress(epoch=epoch, batch=next(count), num_batches=total))


def _epoch_input(state: TrainState, source: Source, labels: Labels) -> EpochInput:
    config, epoch = state.config, state.epochs_done + 1
    plan = config.plan()
    return EpochInput(
        config=config,
        method=plan.method_at(config.recipe(), epoch),
        epoch=epoch,
        temperature=plan.temperature_at(epoch),
        source=source,
        labels=labels.given,
        weights=LabelWeights.of(state, labels.verified),
        predictions=state.history.mean_log_prob,
        slice_size=state.slice_size,
    )


def train_epoch(
    given: EpochInput,
    learner: Learner,
    *,
    plan: Schedule,
    peak_rate: float,
    on_batch: Callable[[], None],
) -> EpochOutcome:
    """Train one epoch.

    Args:
        given: The inputs of the epoch.
        learner: The learner that the epoch changes.
        plan: The schedule of the training.
        peak_rate: Largest learning rate of the schedule.
        on_batch: Called after each batch.

    Returns:
        The mean loss, and how many steps were skipped.

    Raises:
        NonFiniteLoss: After five skipped steps in a row, or more than one and 1 % of them.
    """
    batches = batch_indices(given.config, given.epoch, len(given.labels))
    losses: list[float] = []
    learner.network.train()
    for position, index_B in enumerate(batches):
        rate = plan.learning_rate_at(given.epoch, position / len(batches), peak_rate)
        value = batch_loss(given, learner, position, index_B)
        losses.append(float(value.detach()))
        if math.isfinite(losses[-1]):
            step = (given.epoch - 1) * len(batches) + position + 1
            learner.step(value, rate=rate, step=step)
        elif _is_lost(losses, len(batches)):
            raise NonFiniteLoss
        on_batch()
    taken = [value for value in losses if math.isfinite(value)]
    return EpochOutcome(sum(taken) / max(len(taken), 1), len(losses) - len(taken))


def batch_indices(config: TrainConfig, epoch: int, num_samples: int) -> list[IntArray]:
    """Return the sample indices of each batch of an epoch, in order; all of about equal size."""
    order_N = generator(config.seed, Stream.ORDER, epoch).permutation(num_samples)
    return list(np.array_split(order_N, num_batches(config, num_samples)))


def num_batches(config: TrainConfig, num_samples: int) -> int:
    """Return the number of training batches of an epoch."""
    return max(1, round(num_samples / config.batch_size))


def _is_lost(losses: list[float], num_steps: int) -> bool:
    """Tell whether too many steps of the epoch so far had no finite loss."""
    skipped = [not math.isfinite(value) for value in losses]
    in_a_row = skipped[-MAX_SKIPPED_IN_A_ROW - 1 :]
    too_many = sum(skipped) > max(1, MAX_SKIPPED_SHARE * num_steps)
    return too_many or (all(in_a_row) and len(in_a_row) > MAX_SKIPPED_IN_A_ROW)


def _track(
    state: TrainState, learner: Learner, source: Source, on_batch: Callable[[], None]
) -> Tensor:
    """Return the averaged network's log-probabilities of all samples, (N, C)."""
    network = learner.average.network
    if state.config.ema_decay > 0.0:
        measure_batch_statistics(
            network,
            source,
            generator(state.config.seed, Stream.STATISTICS, state.epochs_done + 1),
            batch_size=pass_size(state.slice_size, STATISTICS_BATCH),
        )
    tracking_batch = pass_size(state.slice_size, TRACKING_BATCH)
    return predict(network, source, on_batch=on_batch, batch_size=tracking_batch)


def _are_finite(weights: dict[str, dict[str, Tensor]]) -> bool:
    """Tell whether all weights are finite: losses can be finite where weights are not."""
    tensors = [tensor for group in weights.values() for tensor in group.values()]
    return all(bool(t.isfinite().all()) for t in tensors if t.is_floating_point())


def _report(
    state: TrainState, outcome: EpochOutcome, mixture: Mixture, learner: Learner, seconds: float
) -> EpochReport:
    loss_N = state.history.last_loss
    return EpochReport(
        epoch=state.epochs_done,
        train_loss=outcome.train_loss,
        mean_tracking_loss=float(loss_N.double().mean()),
        learning_rate=float(learner.optimizer.param_groups[0]["lr"]),
        num_skipped_steps=outcome.num_skipped,
        seconds=seconds,
        images_per_second=len(loss_N) / max(seconds, 1e-9),
        mixture=MixtureSummary.of(mixture),
        loss_histogram=loss_histogram(state.mixture_losses.numpy()),
        slice_size=state.slice_size,
    )


def _state_to_retry_from(state: TrainState, error: Exception) -> TrainState:
    """Return the state from which the failed epoch is tried once more, or raise `error`."""
    if isinstance(error, NonFiniteLoss):
        return _rolled_back(state, error)
    if is_out_of_memory(error):
        return _in_smaller_slices(state, error)
    raise error


def _rolled_back(state: TrainState, error: NonFiniteLoss) -> TrainState:
    """Return the state from which the lost epoch is tried with a lower learning rate.

    Raises:
        Diverged: When an epoch was already rolled back.
    """
    epoch = state.epochs_done + 1
    if state.rolled_back_in is not None:
        raise Diverged(epoch) from error
    return replace(state, rolled_back_in=epoch)


def _in_smaller_slices(state: TrainState, error: Exception) -> TrainState:
    """Return the state from which the lost epoch is tried with less memory.

    Raises:
        NotEnoughMemory: When the slices cannot be any smaller.
    """
    num_samples = state.data.num_samples
    tried = state.slice_size or -(-num_samples // num_batches(state.config, num_samples))
    smaller = smaller_slice(tried)
    if smaller is None:
        raise NotEnoughMemory(tried, str(error)) from error
    return replace(state, slice_size=smaller)
