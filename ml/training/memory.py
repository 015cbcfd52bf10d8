"""Memory that does not suffice: how to tell, and batches in slices.

Logits come slice by slice and their activations are computed again on the way back (Chen et al.
2016), so a step needs the memory of one slice, while the loss is still one function of all logits:
the regulariser, which looks at the mean prediction of the batch, and the partners of a mix need no
second form. Gradients are those of the whole batch but for rounding, except that batch
normalisation sees one slice at a time.
"""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.utils.checkpoint import checkpoint

_SIGNS = (
    "out of memory",
    "can't allocate memory",  # DefaultCPUAllocator
    "not enough memory",
    "ALLOC_FAILED",  # cuBLAS, cuDNN
    "bad_alloc",
)
"""Words of errors that are plain `RuntimeError` where they come from libraries below PyTorch."""
MIN_SLICE = 8
"""In images: batch normalisation over fewer images is too noisy."""
_PASS_FACTOR = 4
"""A pass without gradients keeps no activations, so it may take more samples at once."""


def is_out_of_memory(error: BaseException) -> bool:
    """Tell whether an error means that memory, of the device or of the host, did not suffice."""
    if isinstance(error, (MemoryError, torch.OutOfMemoryError)):
        return True
    return isinstance(error, RuntimeError) and any(sign in str(error) for sign in _SIGNS)


def release_memory(device: torch.device) -> None:
    """Return the allocator's cache to the device; smaller batches may not fit its pieces."""
    if device.type == "cuda":
        torch.cuda.empty_cache()


def smaller_slice(size: int) -> int | None:
    """Return the next size to try after one that did not fit; None if there is none."""
    return max(MIN_SLICE, size // 2) if size > MIN_SLICE else None


def pass_size(slice_size: int | None, usual: int) -> int:
    """Return how many samples a pass without gradients takes at once."""
    return usual if slice_size is None else min(usual, _PASS_FACTOR * slice_size)


def forward_in_slices(network: nn.Module, input_B: Tensor, slice_size: int | None) -> Tensor:
    """Return the network's output for a batch, computed at most `slice_size` samples at a time.

    The running statistics of a batch normalisation move as far as one whole batch would move them.
    """
    if slice_size is None or len(input_B) <= slice_size:
        whole: Tensor = network(input_B)
        return whole
    num_slices = -(-len(input_B) // slice_size)

    share = 1.0 / num_slices

    def contexts() -> tuple[AbstractContextManager[None], AbstractContextManager[None]]:
        """Move the statistics a little for each slice, and not at all when it is computed again."""
        return (
            _momentum(network, lambda momentum: 1.0 - (1.0 - momentum) ** share),
            _momentum(network, lambda _: 0.0),
        )

    return torch.cat(
        [
            checkpoint(network, part, use_reentrant=False, context_fn=contexts)
            for part in input_B.tensor_split(num_slices)
        ]
    )


@contextmanager
def _momentum(network: nn.Module, change: Callable[[float], float]) -> Iterator[None]:
    """Change the momentum of all batch normalisations inside the block."""
    layers = [layer for layer in network.modules() if isinstance(layer, _BatchNorm)]
    momenta = [layer.momentum for layer in layers]
    for layer in layers:
        layer.momentum = None if layer.momentum is None else change(layer.momentum)
    try:
        yield
    finally:
        for layer, momentum in zip(layers, momenta, strict=True):
            layer.momentum = momentum
