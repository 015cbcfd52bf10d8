"""The loss of one batch: the same function for every method."""

from dataclasses import dataclass

import torch
from torch import Tensor

from ml.augment import crop_and_flip, dynamic_share, mix_images
from ml.device import autocast
from ml.losses import step_loss
from ml.methods import Correction, Method, Mixing
from ml.seeding import Stream, generator
from ml.training.config import TrainConfig
from ml.training.data import ImageSource
from ml.training.label_weights import LabelWeights
from ml.training.learner import Learner
from ml.types import IntArray

MIN_FLIP_SIZE = 24


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
    source: ImageSource
    labels: Tensor
    """Given labels, (N,) int64."""
    weights: LabelWeights


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Batch:
    """Augmented images and what is known of their labels, on the device."""

    image: Tensor
    """(B, C, H, W)."""
    plain_logits: Tensor | None
    """Of the un-mixed images, (B, C), where the method asks for them."""
    label: Tensor
    """Given labels, (B,)."""
    p_noisy: Tensor
    """Probability that they are wrong, (B,)."""


def batch_loss(given: EpochInput, learner: Learner, position: int, index_B: IntArray) -> Tensor:
    """Return the mean loss of the batch at a position of the epoch, in nats, with gradient."""
    batch = _prepared(given, learner, position, index_B)
    rng = generator(given.config.seed, Stream.MIXUP, given.epoch, position)
    perm_B = torch.from_numpy(rng.permutation(len(index_B))).to(batch.image.device)
    delta, mixed_BCHW = 1.0, batch.image
    if given.method.mixing is Mixing.STATIC:
        delta = float(rng.beta(given.config.mixup_alpha, given.config.mixup_alpha))
        mixed_BCHW = mix_images(batch.image, perm_B, delta)
    elif given.method.mixing is Mixing.DYNAMIC:
        mixed_BCHW = mix_images(batch.image, perm_B, dynamic_share(batch.p_noisy, perm_B))
    with autocast(batch.image.device):
        mixed_BC = learner.network(mixed_BCHW)
    return step_loss(
        given.method,
        mixed_BC.float(),
        batch.plain_logits,
        batch.label,
        perm_B,
        batch.p_noisy,
        delta,
        given.temperature,
    )


def _prepared(given: EpochInput, learner: Learner, position: int, index_B: IntArray) -> Batch:
    image_BCHW = _augmented(given, position, index_B)
    index = torch.from_numpy(index_B)
    label_B = given.labels[index].to(image_BCHW.device)
    logits_BC = _plain_logits(learner, image_BCHW) if _needs_plain_logits(given) else None
    return Batch(
        image=image_BCHW,
        plain_logits=logits_BC,
        label=label_B,
        p_noisy=given.weights.of_batch(index, logits_BC, label_B),
    )


def _needs_plain_logits(given: EpochInput) -> bool:
    method = given.method
    is_live = given.config.weights == "live" and method.uses_noise_model
    return method.correction is not Correction.NONE or is_live


@torch.no_grad()
def _plain_logits(learner: Learner, image_BCHW: Tensor) -> Tensor:
    """Return the logits of un-mixed images: the one forward that gives targets and live weights.

    The averaged weights give them, in eval mode: they are the better labeller, and no second
    regime of batch statistics touches the trained network.
    """
    with autocast(image_BCHW.device):
        logits_BC: Tensor = learner.average.network(image_BCHW)
    return logits_BC


def _augmented(given: EpochInput, position: int, index_B: IntArray) -> Tensor:
    config = given.config
    image_BHWC = given.source.gather(index_B)
    size = min(image_BHWC.shape[1:3])
    augmented_BHWC = crop_and_flip(
        image_BHWC,
        generator(config.seed, Stream.AUGMENT, given.epoch, position),
        pad=int(size * config.max_shift),
        flip=size >= MIN_FLIP_SIZE if config.flip is None else config.flip,
        border=config.crop_border,
    )
    return given.source.to_input(augmented_BHWC)
