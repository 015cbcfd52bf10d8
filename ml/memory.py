"""Memory that did not suffice: how to tell, and how to get it back."""

import torch

_SIGNS = (
    "out of memory",
    "can't allocate memory",  # DefaultCPUAllocator
    "not enough memory",
    "ALLOC_FAILED",  # cuBLAS, cuDNN
    "bad_alloc",
)
"""Words of errors that are plain `RuntimeError` where they come from libraries below PyTorch."""


def is_out_of_memory(error: BaseException) -> bool:
    """Tell whether an error means that memory, of the device or of the host, did not suffice."""
    if isinstance(error, (MemoryError, torch.OutOfMemoryError)):
        return True
    return isinstance(error, RuntimeError) and any(sign in str(error) for sign in _SIGNS)


def release_memory(device: torch.device) -> None:
    """Give back what the allocator keeps, which may lie in pieces of no use to smaller batches."""
    if device.type == "cuda":
        torch.cuda.empty_cache()
