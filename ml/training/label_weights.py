"""How probably each given label is wrong, as the training loop asks for it."""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from ml.mixture import Mixture
from ml.training.config import TrainConfig
from ml.training.state import TrainState


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
    """Whether people found the label right, (N,) bool: it is then no noise, whatever its loss."""
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
