"""Batch augmentation and mixing as pure functions (B batch, H rows, W columns, C channels)."""

from typing import Literal

import numpy as np
import torch
from torch import Tensor

CLEAN_EDGE = 1e-4
"""Probabilities are held this far inside (0, 1), so that two surely wrong labels still mix."""


def crop_and_flip(
    image_BHWC: Tensor,
    rng: np.random.Generator,
    *,
    pad: int,
    flip: bool,
    border: Literal["mirror", "black"] = "mirror",
) -> Tensor:
    """Shift every image by up to `pad` pixels and flip half of them.

    Args:
        image_BHWC: Images of any dtype.
        rng: Where the shifts and flips are drawn from.
        pad: Largest shift in pixels along each axis; less than H and W.
        flip: Whether to mirror half of the images left to right.
        border: What comes in where an image was shifted away: its mirror image, or zeros.

    Returns:
        A new tensor of the same shape, dtype and device.
    """
    num_images, height, width, _ = image_BHWC.shape
    row_BH = _shifted(height, rng.integers(-pad, pad + 1, size=num_images))
    column_BW = _shifted(width, rng.integers(-pad, pad + 1, size=num_images))
    if flip:
        is_flipped_B = rng.random(num_images) < 0.5
        column_BW = np.where(is_flipped_B[:, None], column_BW[:, ::-1], column_BW)
    device = image_BHWC.device
    batch = torch.arange(num_images, device=device)[:, None, None]
    row = torch.from_numpy(_reflected(row_BH, height)).to(device)[:, :, None]
    column = torch.from_numpy(_reflected(column_BW, width)).to(device)[:, None, :]
    moved_BHWC = image_BHWC[batch, row, column]
    if border == "black":
        is_inside_BHW = (
            _is_inside(row_BH, height)[:, :, None] & _is_inside(column_BW, width)[:, None]
        )
        moved_BHWC = moved_BHWC * torch.from_numpy(is_inside_BHW).to(device)[..., None]
    return moved_BHWC


def _shifted(size: int, offset_B: np.ndarray) -> np.ndarray:
    """Return the source index of each position after a shift; it may lie outside the image."""
    index: np.ndarray = np.arange(size)[None, :] + offset_B[:, None]
    return index


def _reflected(index: np.ndarray, size: int) -> np.ndarray:
    """Return indices with those outside reflected at both ends."""
    return np.ascontiguousarray((size - 1) - np.abs((size - 1) - np.abs(index)))


def _is_inside(index: np.ndarray, size: int) -> np.ndarray:
    inside: np.ndarray = (index >= 0) & (index < size)
    return inside


def mix_inputs(input_B: Tensor, perm_B: Tensor, share: float | Tensor) -> Tensor:
    """Return `share * x + (1 - share) * x[perm]`, x of shape (B, ...), `share` a number or (B,)."""
    if isinstance(share, Tensor):
        share = share.to(input_B.dtype).reshape(-1, *[1] * (input_B.ndim - 1))
    return torch.lerp(input_B[perm_B], input_B, share)


def dynamic_share(p_noisy_B: Tensor, perm_B: Tensor) -> Tensor:
    """Return each image's share in its pair: the cleaner label weighs more (paper, section 3.4)."""
    clean_B = 1.0 - p_noisy_B.clamp(CLEAN_EDGE, 1.0 - CLEAN_EDGE)
    return clean_B / (clean_B + clean_B[perm_B])
