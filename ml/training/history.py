"""What the tracking passes learned about each sample (N samples, C classes)."""

from dataclasses import dataclass, fields

import torch
from torch import Tensor
from torch.nn import functional

MIN_SHARE = 0.05
"""Of the newest epoch in the averages: they forget epochs that are more than about twenty back."""


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
            mean_log_prob=torch.zeros(num_samples, num_classes),
        )

    @property
    def next_share(self) -> float:
        """Share of the next epoch in the averages."""
        return max(1.0 / (int(self.num_epochs) + 1), MIN_SHARE)

    def updated(self, logits_NC: Tensor, label_N: Tensor) -> "SampleHistory":
        """Return the history with one more epoch, given its logits (float32, on the CPU)."""
        log_prob_NC = functional.log_softmax(logits_NC, dim=1)
        loss_N = -log_prob_NC.gather(1, label_N[:, None])[:, 0]
        share = self.next_share
        prediction_N = logits_NC.argmax(dim=1)
        return SampleHistory(
            num_epochs=self.num_epochs + 1,
            last_loss=loss_N,
            mean_loss=torch.lerp(self.mean_loss, loss_N, share),
            disagreement=self.disagreement + (prediction_N != label_N).int(),
            last_prediction=prediction_N,
            mean_log_prob=torch.lerp(self.mean_log_prob, log_prob_NC, share),
        )

    def to_tensors(self) -> dict[str, Tensor]:
        """Return the fields by name."""
        return {field.name: getattr(self, field.name) for field in fields(self)}
