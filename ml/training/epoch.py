"""One epoch of training: the same function for every method."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ml.seeding import Stream, generator
from ml.training.config import TrainConfig
from ml.training.errors import NonFiniteLoss
from ml.training.learner import Learner
from ml.training.schedule import Schedule
from ml.training.step import EpochInput, batch_loss
from ml.types import IntArray

MAX_SKIPPED_IN_A_ROW = 4
MAX_SKIPPED_SHARE = 0.01


def batch_indices(config: TrainConfig, epoch: int, num_samples: int) -> list[IntArray]:
    """Return the sample indices of each batch of an epoch, in order; all of about equal size."""
    order_N = generator(config.seed, Stream.ORDER, epoch).permutation(num_samples)
    return list(np.array_split(order_N, num_batches(config, num_samples)))


def num_batches(config: TrainConfig, num_samples: int) -> int:
    """Return the number of training batches of an epoch."""
    return max(1, round(num_samples / config.batch_size))


@dataclass(frozen=True, slots=True)
class EpochOutcome:
    """What an epoch of training leaves besides the weights."""

    train_loss: float
    """Mean over the steps taken, in nats."""
    num_skipped: int
    """Steps not taken, since their loss was not finite."""


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
        given: What the epoch reads.
        learner: What it changes.
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


def _is_lost(losses: list[float], num_steps: int) -> bool:
    """Tell whether too many steps of the epoch so far had no finite loss."""
    skipped = [not math.isfinite(value) for value in losses]
    in_a_row = skipped[-MAX_SKIPPED_IN_A_ROW - 1 :]
    too_many = sum(skipped) > max(1, MAX_SKIPPED_SHARE * num_steps)
    return too_many or (all(in_a_row) and len(in_a_row) > MAX_SKIPPED_IN_A_ROW)
