"""What the hardware is good at: the one place that chooses precision and memory layout."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch

MEMORY_FORMAT = torch.channels_last
"""9 % faster than NCHW for a ResNet-9 in float32 on two CPU cores, and what tensor cores want."""


def compute_dtype(device: torch.device) -> torch.dtype:
    """Return the dtype of forward passes on `device`: bfloat16 where it is done in hardware.

    Emulated bfloat16 is slower than float32 by a factor of 2.4 (AVX-512 without BF16), while
    hardware bfloat16 is about twice as fast.
    """
    if device.type == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False):
        return torch.bfloat16
    if device.type == "cpu":
        capabilities = torch.cpu.get_capabilities()
        if capabilities.get("avx512_bf16") or capabilities.get("amx_bf16"):
            return torch.bfloat16
    return torch.float32


def autocast(device: torch.device) -> torch.autocast:
    """Return the context in which forward passes run on `device`."""
    dtype = compute_dtype(device)
    return torch.autocast(device.type, dtype=dtype, enabled=dtype is not torch.float32)


@contextmanager
def deterministic(device: torch.device) -> Iterator[None]:
    """Use deterministic algorithms inside the block.

    On accelerators an operation without a deterministic form warns instead of ending the run.
    """
    was_enabled = torch.are_deterministic_algorithms_enabled()
    was_warn_only = torch.is_deterministic_algorithms_warn_only_enabled()
    torch.use_deterministic_algorithms(mode=True, warn_only=device.type != "cpu")
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(mode=was_enabled, warn_only=was_warn_only)
