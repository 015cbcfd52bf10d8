"""Precision, memory layout, threads and determinism for the hardware at hand."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch.utils import deterministic as _deterministic_module

deterministic_options: Any = _deterministic_module  # its attributes are not in the stubs
MEMORY_FORMAT = torch.channels_last
"""9 % faster than NCHW for a ResNet-9 in float32 on two CPU cores, and right for tensor cores."""

SHARED_SIZE = 16
"""Side in pixels from which images gain from a second thread: 1.3 times the images per second of
a ResNet-9 at 16 pixels on two cores, 0.9 times at 8, and a hundredth with a busy second core."""


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


def useful_threads(image_size: tuple[int, int]) -> int:
    """Return the number of threads that speed up a training on images of this height and width.

    A step on tiny images takes less time than waking a second thread.
    """
    return 1 if max(image_size) < SHARED_SIZE else torch.get_num_threads()


def autocast(device: torch.device) -> torch.autocast:
    """Return the context in which forward passes run on `device`."""
    dtype = compute_dtype(device)
    return torch.autocast(device.type, dtype=dtype, enabled=dtype is not torch.float32)


@contextmanager
def deterministic(device: torch.device) -> Iterator[None]:
    """Use deterministic algorithms inside the block.

    Memory is not filled before use, as PyTorch would by default: 7 % of a training step.
    On accelerators an operation without a deterministic form warns instead of ending the run.
    """
    was_enabled = torch.are_deterministic_algorithms_enabled()
    was_warn_only = torch.is_deterministic_algorithms_warn_only_enabled()
    was_filling = deterministic_options.fill_uninitialized_memory
    deterministic_options.fill_uninitialized_memory = False
    torch.use_deterministic_algorithms(mode=True, warn_only=device.type != "cpu")
    try:
        yield
    finally:
        deterministic_options.fill_uninitialized_memory = was_filling
        torch.use_deterministic_algorithms(mode=was_enabled, warn_only=was_warn_only)
