"""What the tracking passes learned about each sample (N samples, C classes)."""

from dataclasses import dataclass, fields

import torch
from torch import Tensor

MAX_STORED_LOSS = 6e4
"""In nats; float16 ends a little above."""
RECENCY = 3
"""The k-th epoch weighs nearly as k to this power in the averages, for an early network knows
little (polynomial decay; Shamir and Zhang, ICML 2013, section 5)."""
MIN_SHARE = 0.05
"""Of the newest epoch in the averages: long trainings forget what is more than about sixty back."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class SampleHistory:
    """Statistics of every sample over the tracked epochs; `updated` returns a new object."""

    num_epochs: Tensor
    """Epochs tracked, a scalar int64."""
    last_loss: Tensor
    """Cross-entropy of the given label in the last epoch, (N,) float32, in nats."""
    mean_loss: Tensor
    """That, averaged over the epochs, (N,) float32. One epoch alone is unstable."""
    disagreement: Tensor
    """Epochs in which the most probable class was not the given label, (N,) int32."""
    last_prediction: Tensor
    """Most probable class in the last epoch, (N,) int64."""
    mean_margin: Tensor
    """Logit of the given label less the greatest other one, averaged over the epochs, (N,) float32:
    the area under the margin (Pleiss et al., NeurIPS 2020)."""
    losses: Tensor
    """Loss of the given label after every epoch, (epochs, N) float16, in nats."""
    mean_log_prob: Tensor
    """Class log-probabilities averaged over the epochs, (N, C) float32, in nats."""

    @classmethod
    def empty(cls, num_samples: int, num_classes: int) -> "SampleHistory":
        """Return the history before the first epoch."""
        return cls(
            num_epochs=torch.zeros((), dtype=torch.int64),
            last_loss=torch.zeros(num_samples),
            mean_loss=torch.zeros(num_samples),
            disagreement=torch.zeros(num_samples, dtype=torch.int32),
            last_prediction=torch.zeros(num_samples, dtype=torch.int64),
            mean_margin=torch.zeros(num_samples),
            losses=torch.zeros(0, num_samples, dtype=torch.float16),
            mean_log_prob=torch.zeros(num_samples, num_classes),
        )

    @property
    def next_share(self) -> float:
        """Share of the next epoch in the averages."""
        return max((1 + RECENCY) / (int(self.num_epochs) + 1 + RECENCY), MIN_SHARE)

    def updated(self, log_prob_NC: Tensor, label_N: Tensor) -> "SampleHistory":
        """Return the history with one more epoch, given its log-probabilities (float32, CPU)."""
        loss_N = -log_prob_NC.gather(1, label_N[:, None])[:, 0]
        share = self.next_share
        prediction_N = log_prob_NC.argmax(dim=1)
        return SampleHistory(
            num_epochs=self.num_epochs + 1,
            last_loss=loss_N,
            mean_loss=torch.lerp(self.mean_loss, loss_N, share),
            disagreement=self.disagreement + (prediction_N != label_N).int(),
            last_prediction=prediction_N,
            mean_margin=torch.lerp(self.mean_margin, _margins(log_prob_NC, label_N), share),
            losses=torch.cat([self.losses, loss_N.clamp(max=MAX_STORED_LOSS).half()[None]]),
            mean_log_prob=torch.lerp(self.mean_log_prob, log_prob_NC, share),
        )

    def to_tensors(self) -> dict[str, Tensor]:
        """Return the fields by name."""
        return {field.name: getattr(self, field.name) for field in fields(self)}


def _margins(log_prob_NC: Tensor, label_N: Tensor) -> Tensor:
    """Return how far each given label is above the best other one, (N,)."""
    given_N1 = log_prob_NC.gather(1, label_N[:, None])
    others_NC = log_prob_NC.scatter(1, label_N[:, None], -torch.inf)
    return given_N1[:, 0] - others_NC.amax(dim=1)
