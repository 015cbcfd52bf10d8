"""Forward passes over all samples: no graph, no augmentation, fixed order."""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn

from ml.device import autocast
from ml.training.data import ImageSource

TRACKING_BATCH = 256


def num_tracking_batches(num_samples: int) -> int:
    """Return the number of batches of one pass."""
    return -(-num_samples // TRACKING_BATCH)


def compute_logits(
    network: nn.Module, source: ImageSource, *, on_batch: Callable[[], None] | None = None
) -> Tensor:
    """Return the logits of all images in order, float32 on the CPU, shape (N, C)."""
    network.eval()
    num_samples = len(source.images)
    chunks = []
    with torch.inference_mode(), autocast(source.device):
        for begin in range(0, num_samples, TRACKING_BATCH):
            index_B = np.arange(begin, min(begin + TRACKING_BATCH, num_samples))
            logits_BC = network(source.to_input(source.gather(index_B)))
            chunks.append(logits_BC.float().cpu())
            if on_batch:
                on_batch()
    # Cloned outside inference mode: the result may meet tensors that need gradients later.
    return torch.cat(chunks).clone()
