"""The loss of one batch: the same function for every method."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ml.augment import dynamic_share, mix_inputs
from ml.device import autocast
from ml.losses import step_loss
from ml.methods import Correction, Method, Mixing
from ml.seeding import Stream, generator
from ml.training.config import TrainConfig
from ml.training.label_weights import LabelWeights
from ml.training.learner import Learner
from ml.training.slices import forward_in_slices
from ml.training.sources import Source
from ml.types import IntArray


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class EpochInput:
    """What an epoch reads."""

    config: TrainConfig
    method: Method
    """What is trained in this epoch."""
    epoch: int
    """From 1."""
    temperature: float
    """Of the soft-to-hard target."""
    source: Source
    labels: Tensor
    """Given labels, (N,) int64."""
    weights: LabelWeights
    predictions: Tensor
    """Log-probabilities of the samples' classes, averaged over the epochs so far, (N, C)."""
    slice_size: int | None
    """Samples that a pass takes at once, where memory does not suffice for a whole batch."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Batch:
    """Augmented samples and what is known of their labels, on the device."""

    inputs: Tensor
    """Images (B, C, H, W), or features (B, D)."""
    own_logits: Tensor | None
    """What the network says of the un-mixed images, (B, C), where labels are corrected by it."""
    label: Tensor
    """Given labels, (B,)."""
    p_noisy: Tensor
    """Probability that they are wrong, (B,)."""


def batch_loss(given: EpochInput, learner: Learner, position: int, index_B: IntArray) -> Tensor:
    """Return the mean loss of the batch at a position of the epoch, in nats, with gradient."""
    batch = _prepared(given, learner, position, index_B)
    rng = generator(given.config.seed, Stream.MIXUP, given.epoch, position)
    perm_B = torch.from_numpy(rng.permutation(len(index_B))).to(batch.inputs.device)
    delta, mixed_B = 1.0, batch.inputs
    if given.method.mixing is Mixing.STATIC:
        alpha = given.config.alpha()
        delta = float(rng.beta(alpha, alpha))
        mixed_B = mix_inputs(batch.inputs, perm_B, delta)
    elif given.method.mixing is Mixing.DYNAMIC:
        mixed_B = mix_inputs(batch.inputs, perm_B, dynamic_share(batch.p_noisy, perm_B))
    mixed_BC = _forward(learner.network, mixed_B, given)
    return step_loss(
        given.method,
        mixed_BC,
        batch.own_logits,
        batch.label,
        perm_B,
        batch.p_noisy,
        delta,
        given.temperature,
    )


def _prepared(given: EpochInput, learner: Learner, position: int, index_B: IntArray) -> Batch:
    rng = generator(given.config.seed, Stream.AUGMENT, given.epoch, position)
    input_B = given.source.augmented(index_B, rng)
    index = torch.from_numpy(index_B)
    label_B = given.labels[index].to(input_B.device)
    logits_BC = _plain_logits(given, learner, input_B) if _needs_plain_logits(given) else None
    has_stored_targets = given.config.targets == "stored"
    stored_BC = given.predictions[index].to(input_B.device) if has_stored_targets else None
    return Batch(
        inputs=input_B,
        own_logits=stored_BC if has_stored_targets else logits_BC,
        label=label_B,
        p_noisy=given.weights.of_batch(index, logits_BC, label_B),
    )


def _needs_plain_logits(given: EpochInput) -> bool:
    method, config = given.method, given.config
    has_live_weights = config.weights == "live" and method.uses_noise_model
    has_live_targets = config.targets == "live" and method.correction is not Correction.NONE
    return has_live_weights or has_live_targets


@torch.no_grad()
def _plain_logits(given: EpochInput, learner: Learner, input_B: Tensor) -> Tensor:
    """Return the logits of un-mixed images: the one forward that gives targets and live weights.

    The averaged weights give them, in eval mode: they are the better labeller, and no second
    regime of batch statistics touches the trained network.
    """
    return _forward(learner.average.network, input_B, given)


def _forward(network: nn.Module, input_B: Tensor, given: EpochInput) -> Tensor:
    """Return a network's logits of a batch, (B, C) float32."""
    with autocast(input_B.device):
        logits_BC = forward_in_slices(network, input_B, given.slice_size)
    return logits_BC.float()
