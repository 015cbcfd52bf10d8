"""One step: the learner that it changes, the weights of the labels, the loss of its batch."""

import copy
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from ml.device import autocast
from ml.mixture import Mixture
from ml.seeding import Stream, generator
from ml.training.augment import dynamic_share, mix_inputs
from ml.training.checkpoint import TrainState, copied, network_of
from ml.training.config import TrainConfig
from ml.training.data import DataFacts, Source
from ml.training.losses import step_loss
from ml.training.memory import forward_in_slices
from ml.training.methods import Correction, Method, Mixing
from ml.types import IntArray


class WeightAverage:
    """Follows a network; early steps weigh more, so the start is forgotten quickly."""

    def __init__(self, network: nn.Module, *, decay: float) -> None:
        self.network = copy.deepcopy(network).requires_grad_(requires_grad=False).eval()
        self._decay = decay

    @torch.no_grad()
    def update(self, network: nn.Module, *, step: int) -> None:
        """Move towards the network's weights after its `step`-th update (from 1)."""
        share = 1.0 - min(self._decay, step / (step + 9.0))
        followed = network.state_dict()
        for name, mine in self.network.state_dict().items():
            if mine.is_floating_point():
                mine.lerp_(followed[name], share)
            else:
                mine.copy_(followed[name])


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Learner:
    """Network, averaged weights and optimizer: they change with every step."""

    network: nn.Module
    average: WeightAverage
    optimizer: torch.optim.SGD

    @classmethod
    def restore(cls, state: TrainState, device: torch.device) -> "Learner":
        """Return a learner on a device, exactly as it was when the state was taken."""
        config = state.config
        network = network_of(state, state.network, device)
        average = WeightAverage(network, decay=config.ema_decay)
        average.network.load_state_dict(state.average)
        optimizer = torch.optim.SGD(
            network.parameters(),
            lr=config.learning_rate,
            momentum=config.momentum,
            weight_decay=_weight_decay(config, state.data),
            nesterov=config.nesterov and config.momentum > 0.0,
        )
        for name, parameter in network.named_parameters():
            if name in state.momentum:
                # The buffer takes the parameter's memory layout, as the optimizer's own would.
                buffer = torch.empty_like(parameter).copy_(state.momentum[name]).detach()
                optimizer.state[parameter]["momentum_buffer"] = buffer
        return cls(network=network, average=average, optimizer=optimizer)

    def step(self, value: Tensor, *, rate: float, step: int) -> None:
        """Take one step down the gradient of a loss; `step` counts from 1 over all epochs."""
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        self.optimizer.zero_grad(set_to_none=True)
        torch.autograd.backward(value)
        self.optimizer.step()
        self.average.update(self.network, step=step)

    def weights(self) -> dict[str, dict[str, Tensor]]:
        """Return copies of all tensors, by the names of the state's weight groups."""
        return {
            "network": copied(self.network.state_dict()),
            "average": copied(self.average.network.state_dict()),
            "momentum": copied(self._momentum()),
        }

    def _momentum(self) -> dict[str, Tensor]:
        buffers = {
            name: self.optimizer.state[parameter].get("momentum_buffer")
            for name, parameter in self.network.named_parameters()
        }
        return {name: buffer for name, buffer in buffers.items() if buffer is not None}


def _weight_decay(config: TrainConfig, facts: DataFacts) -> float:
    if facts.num_features is None:
        return config.weight_decay
    return config.head_precision / facts.num_samples


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class LabelWeights:
    """The last epoch's noise model, applied to its losses or to the present network's."""

    stored: Tensor
    """Probability of the noisy component after the last epoch, (N,) float32."""
    mixture: Mixture | None
    config: TrainConfig
    loss: Tensor
    """Losses that the mixture was fitted to, (N,) float32, in nats."""
    verified: Tensor
    """Whether a person found the label right, (N,) bool; such a label is never noise."""
    next_share: float
    """Share of one more epoch in an average of the losses over the epochs."""

    @classmethod
    def of(cls, state: TrainState, verified_N: Tensor) -> "LabelWeights":
        """Return the weights for the epoch after a state's last one; all clean before the first."""
        loss_N = state.mixture_losses
        stored_N = torch.zeros_like(loss_N)
        if state.mixture is not None:
            stored_N = torch.from_numpy(state.mixture.posterior(loss_N.numpy())).float()
            stored_N = stored_N.masked_fill(verified_N, 0.0)
        averages = state.config.mixture_losses == "mean"
        return cls(
            stored=stored_N,
            mixture=state.mixture,
            config=state.config,
            loss=loss_N,
            verified=verified_N,
            next_share=state.history.next_share if averages else 1.0,
        )

    def of_batch(self, index_B: Tensor, logits_BC: Tensor | None, label_B: Tensor) -> Tensor:
        """Return a batch's probabilities of being noisy, (B,) float32, on the labels' device.

        Args:
            index_B: Positions of the samples, on the CPU.
            logits_BC: Of the un-mixed images by the present network; read by live weights only.
            label_B: Given labels.
        """
        if self.config.weights == "stored" or self.mixture is None or logits_BC is None:
            return self.stored[index_B].to(label_B.device)
        loss_B = functional.cross_entropy(logits_BC.float(), label_B, reduction="none").cpu()
        loss_B = torch.lerp(self.loss[index_B], loss_B, self.next_share)
        posterior_B = self.mixture.posterior(loss_B.numpy())
        p_noisy_B = torch.from_numpy(posterior_B).float().masked_fill(self.verified[index_B], 0.0)
        return p_noisy_B.to(label_B.device)


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class EpochInput:
    """The inputs of an epoch."""

    config: TrainConfig
    method: Method
    """The method of this epoch."""
    epoch: int
    """From 1."""
    temperature: float
    """Temperature of the soft-to-hard target."""
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
    """Augmented samples, their labels and targets, on the device."""

    inputs: Tensor
    """Images (B, C, H, W), or features (B, D)."""
    own_logits: Tensor | None
    """Logits of the un-mixed images, (B, C), where labels are corrected towards them."""
    label: Tensor
    """Given labels, (B,)."""
    p_noisy: Tensor
    """Probability that each label is wrong, (B,)."""


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

    The averaged network computes them in eval mode: it labels better than the trained network, and
    the batch statistics of the trained network stay untouched.
    """
    return _forward(learner.average.network, input_B, given)


def _forward(network: nn.Module, input_B: Tensor, given: EpochInput) -> Tensor:
    """Return a network's logits of a batch, (B, C) float32."""
    with autocast(input_B.device):
        logits_BC = forward_in_slices(network, input_B, given.slice_size)
    return logits_BC.float()
