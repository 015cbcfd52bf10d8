"""Forward passes over all samples: no graph, no augmentation, fixed order."""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn

from ml.device import autocast
from ml.training.sources import Source
from ml.types import IntArray

TRACKING_BATCH = 256


def num_tracking_batches(num_samples: int, batch_size: int = TRACKING_BATCH) -> int:
    """Return the number of batches of one pass."""
    return -(-num_samples // batch_size)


def predict(
    network: nn.Module,
    source: Source,
    *,
    on_batch: Callable[[], None] | None = None,
    batch_size: int = TRACKING_BATCH,
) -> Tensor:
    """Return class log-probabilities in nats, float32 on the CPU, shape (N, C).

    Probabilities are averaged over the source's views.
    """
    network.eval()
    chunks = []
    with torch.inference_mode(), autocast(source.device):
        for begin in range(0, len(source), batch_size):
            index_B = np.arange(begin, min(begin + batch_size, len(source)))
            chunks.append(_log_probabilities(network, source, index_B).cpu())
            if on_batch:
                on_batch()
    # Cloned outside inference mode: the result may meet tensors that need gradients later.
    return torch.cat(chunks).clone()


def _log_probabilities(network: nn.Module, source: Source, index_B: IntArray) -> Tensor:
    views = [
        network(source.view(index_B, number)).float().log_softmax(dim=1)
        for number in range(source.num_views)
    ]
    if len(views) == 1:
        return torch.as_tensor(views[0])
    return torch.stack(views).logsumexp(dim=0) - float(np.log(len(views)))
